// MatMulNBits: rows of A times columns stored in 2, 4 or 8 bits, unpacked a vector at a time for up
// to four rows. Each row of A is first reordered so that what one byte packs comes from as many
// runs of A: with 4 bits, a block's even elements and then its odd ones.
#include <algorithm>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/packed_column.h"
#include "backends/cpu/rows.h"
#include "base/threads.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/packed_weights.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/mat_mul_n_bits.cpp"
#include "backends/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

template <class D, size_t kBits, size_t kCount>
void multiply(const PackedColumn& column, float* out) {
  constexpr size_t kParts = 8 / kBits;
  const D d;
  const hn::Rebind<int32_t, D> di;
  const hn::Rebind<uint8_t, D> db;
  const size_t lanes = hn::Lanes(d);
  const auto mask = hn::Set(di, (1 << kBits) - 1);
  hn::Vec<D> total[kCount];
  for (size_t r = 0; r < kCount; ++r) total[r] = hn::Zero(d);
  for (size_t b = 0; b < column.blocks; ++b) {
    const auto zero = hn::Set(d, column.zeros[b]);
    hn::Vec<D> sums[kCount];
    for (size_t r = 0; r < kCount; ++r) sums[r] = hn::Zero(d);
    const uint8_t* bytes = column.bytes + b * column.blob;
    const float* rows = column.rows + b * column.blob * kParts;
    for (size_t i = 0; i < column.blob; i += lanes) {
      auto packed = hn::PromoteTo(di, hn::LoadU(db, bytes + i));
      for (size_t part = 0; part < kParts; ++part) {
        const auto q =
            hn::Sub(hn::ConvertTo(d, kParts == 1 ? packed : hn::And(packed, mask)), zero);
        for (size_t r = 0; r < kCount; ++r)
          sums[r] = hn::MulAdd(
              q, hn::LoadU(d, rows + r * column.row_stride + part * column.blob + i), sums[r]);
        if (part + 1 < kParts) packed = hn::ShiftRight<kBits>(packed);
      }
    }
    const auto scale = hn::Set(d, column.scales[b]);
    for (size_t r = 0; r < kCount; ++r) total[r] = hn::MulAdd(scale, sums[r], total[r]);
  }
  for (size_t r = 0; r < kCount; ++r) out[r] = hn::GetLane(hn::SumOfLanes(d, total[r]));
}

template <class D, size_t kBits>
void multiply_rows(const PackedColumn& column, size_t rows, float* out) {
  switch (rows) {
    case 1: return multiply<D, kBits, 1>(column, out);
    case 2: return multiply<D, kBits, 2>(column, out);
    case 3: return multiply<D, kBits, 3>(column, out);
    default: return multiply<D, kBits, 4>(column, out);
  }
}

template <size_t kBits>
void multiply_bits(const PackedColumn& column, size_t rows, float* out) {
  using Whole = hn::ScalableTag<float>;
  if (column.blob % hn::Lanes(Whole()) == 0)
    multiply_rows<Whole, kBits>(column, rows, out);
  else  // blocks of 16 elements have 4 bytes at least
    multiply_rows<hn::CappedTag<float, 4>, kBits>(column, rows, out);
}

using MultiplyFn = void (*)(const PackedColumn& column, size_t rows, float* out);

MultiplyFn find_multiply(int64_t bits) {
  if (bits == 2) return multiply_bits<2>;
  return bits == 4 ? multiply_bits<4> : multiply_bits<8>;
}

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_multiply);

constexpr int64_t kRowsAtOnce = 4;

struct MatMulNBitsKernel final : Kernel {
  microsoft::PackedWeights w;
  DType type, zero_type;
  bool has_bias;
  int64_t rows, blocks, parts;
  void (*multiply)(const PackedColumn& column, size_t rows, float* out);
  // Parts of the scratch, in floats.
  int64_t scales, zeros, bias, results;

  explicit MatMulNBitsKernel(const PrepareContext& ctx)
      : w(ctx),
        type(ctx.inputs[0].dtype),
        zero_type(ctx.has_input(3) ? ctx.inputs[3].dtype : DType::undefined),
        has_bias(ctx.has_input(5)),
        rows(ctx.inputs[0].numel() / w.inner),
        blocks(w.blocks()),
        parts(8 / w.bits),
        multiply(HWY_DYNAMIC_DISPATCH(find_multiply)(w.bits)) {
    scales = rows * blocks * w.block;
    zeros = scales + w.columns * blocks;
    bias = zeros + w.columns * blocks;
    results = bias + w.columns;
    const int64_t count = results + (type == DType::f32 ? 0 : rows * w.columns);
    scratch_bytes = static_cast<size_t>(count) * sizeof(float);
  }

  // `count` elements as floats at `to`.
  static void widen(const void* from, DType from_type, int64_t count, float* to) {
    if (const ConvertFn convert = half_conversion(from_type, DType::f32))
      convert(from, to, static_cast<size_t>(count));
    else
      std::copy_n(static_cast<const float*>(from), count, to);
  }

  // Row `row` of A: block by block, what a byte's first elements meet, then its second...; zeros
  // behind the last element.
  void reorder(const float* row, float* to) const {
    const int64_t run = w.block / parts;
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t count = std::min(w.block, w.inner - b * w.block);
      for (int64_t k = 0; k < w.block; ++k)
        to[b * w.block + k % parts * run + k / parts] = k < count ? row[b * w.block + k] : 0.0F;
    }
  }

  void read_zeros(const RunContext& ctx, float* to) const {
    const int64_t count = w.columns * blocks;
    if (zero_type == DType::undefined) {
      std::fill_n(to, count, static_cast<float>(1 << (w.bits - 1)));
    } else if (zero_type != DType::u8) {
      widen(ctx.in[3], zero_type, count, to);
    } else {
      const auto* bytes = ctx.input<uint8_t>(3);
      for (int64_t n = 0; n < w.columns; ++n)
        for (int64_t b = 0; b < blocks; ++b)
          to[n * blocks + b] = static_cast<float>(
              bytes[n * w.zero_bytes() + b / parts] >> (b % parts * w.bits) & ((1 << w.bits) - 1));
    }
  }

  void run(const RunContext& ctx) const override {
    auto* scratch = static_cast<float*>(ctx.scratch);
    const int64_t width = blocks * w.block;
    parallel_for(0, rows, std::max<int64_t>(1, 16384 / width), [&](int64_t begin, int64_t end) {
      std::vector<float> row(static_cast<size_t>(w.inner));
      for (int64_t m = begin; m < end; ++m) {
        const auto size = static_cast<int64_t>(size_of(type));
        widen(ctx.input<std::byte>(0) + m * w.inner * size, type, w.inner, row.data());
        reorder(row.data(), scratch + m * width);
      }
    });
    widen(ctx.in[2], type, w.columns * blocks, scratch + scales);
    read_zeros(ctx, scratch + zeros);
    if (has_bias)
      widen(ctx.in[5], type, w.columns, scratch + bias);
    else
      std::fill_n(scratch + bias, w.columns, 0.0F);
    float* y = type == DType::f32 ? ctx.output<float>(0) : scratch + results;
    parallel_for(0, w.columns, std::max<int64_t>(1, 65536 / (rows * width)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t n = begin; n < end; ++n) column(ctx, scratch, n, y);
                 });
    if (type != DType::f32)
      half_conversion(DType::f32, type)(y, ctx.out[0], static_cast<size_t>(rows * w.columns));
  }

  void column(const RunContext& ctx, const float* scratch, int64_t n, float* y) const {
    const int64_t width = blocks * w.block;
    for (int64_t m = 0; m < rows; m += kRowsAtOnce) {
      const int64_t count = std::min(kRowsAtOnce, rows - m);
      const PackedColumn packed{ctx.input<uint8_t>(1) + n * blocks * w.blob(),
                                scratch + scales + n * blocks,
                                scratch + zeros + n * blocks,
                                scratch + m * width,
                                static_cast<size_t>(width),
                                static_cast<size_t>(blocks),
                                static_cast<size_t>(w.blob())};
      float sums[kRowsAtOnce];
      multiply(packed, static_cast<size_t>(count), sums);
      for (int64_t r = 0; r < count; ++r) y[(m + r) * w.columns + n] = sums[r] + scratch[bias + n];
    }
  }
};

Prepared prepare(const PrepareContext& ctx) {
  const DType type = ctx.inputs[0].dtype;
  if (type == DType::f64) return refuse("only f32, f16 and bf16; A is f64");
  if (ctx.has_input(4)) return refuse("g_idx permutes the blocks");
  if (ctx.has_input(3) && ctx.inputs[3].dtype == DType::f64)
    return refuse("the zero points are f64");
  if (ctx.inputs[0].numel() == 0) return refuse("nothing to compute");
  return std::make_unique<MatMulNBitsKernel>(ctx);
}

}  // namespace

constinit const KernelList mat_mul_n_bits{{&op::MatMulNBits, "cpu.mat_mul_n_bits", prepare}};

}  // namespace tenon::cpu
#endif
