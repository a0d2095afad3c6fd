// Dropout for f32, f16 and bf16. The mask is Philox's, the same bits as everywhere
// (runtime/dropout_mask.h), for as many counters at a time as a vector has lanes.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/kernels/catalog.h"
#include "backends/cpu/row_kernel.h"
#include "base/threads.h"
#include "ops/nn/catalog.h"
#include "runtime/dropout_mask.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/dropout.cpp"
#include "backends/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

using DU = Tag<uint32_t>;
using VU = hn::Vec<DU>;

// The 64-bit products of all lanes of a with m, which is the same in all lanes.
HWY_INLINE void multiply(VU a, VU m, VU& high, VU& low) {
  const DU d;
  const Tag<uint64_t> wide;
  const auto even = hn::MulEven(a, m);
  const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, a))), m);
  high = hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even)));
  low = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
}

// Random bits of `blocks` blocks of four from `first` on; as dropout_bits().
void random_bits(Generator::State state, uint64_t first, size_t blocks, uint32_t* to) {
  const DU d;
  const size_t lanes = hn::Lanes(d);
  const VU m0 = hn::Set(d, 0xd2511f53U);
  const VU m1 = hn::Set(d, 0xcd9e8d57U);
  size_t at = 0;
  for (; at + lanes <= blocks; at += lanes) {
    HWY_ALIGN uint32_t low[hn::MaxLanes(d)], high[hn::MaxLanes(d)];
    for (size_t i = 0; i < lanes; ++i) {
      const uint64_t counter = state.offset + first + at + i;
      low[i] = static_cast<uint32_t>(counter);
      high[i] = static_cast<uint32_t>(counter >> 32);
    }
    VU x0 = hn::Load(d, low);
    VU x1 = hn::Load(d, high);
    VU x2 = hn::Zero(d);
    VU x3 = x2;
    auto key0 = static_cast<uint32_t>(state.seed);
    auto key1 = static_cast<uint32_t>(state.seed >> 32);
    for (int round = 0; round < 10; ++round) {
      VU high0, low0, high1, low1;
      multiply(x0, m0, high0, low0);
      multiply(x2, m1, high1, low1);
      x0 = hn::Xor(hn::Xor(high1, x1), hn::Set(d, key0));
      x1 = low1;
      x2 = hn::Xor(hn::Xor(high0, x3), hn::Set(d, key1));
      x3 = low0;
      key0 += 0x9e3779b9U;
      key1 += 0xbb67ae85U;
    }
    hn::StoreInterleaved4(x0, x1, x2, x3, d, to + 4 * at);
  }
  for (; at < blocks; ++at) {
    const auto bits = dropout_bits(state, first + at);
    std::copy(bits.begin(), bits.end(), to + 4 * at);
  }
}

// y = x*scale where the top 24 bits reach the threshold, 0 elsewhere.
void apply_mask(const float* x, const uint32_t* bits, uint32_t threshold, float scale, float* y,
                uint8_t* mask, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const bool keep = bits[i] >> 8 >= threshold;
    const float scaled = x[i] * scale;
    y[i] = keep ? scaled : 0.0F;
  }
  if (!mask) return;
  for (size_t i = 0; i < n; ++i) mask[i] = bits[i] >> 8 >= threshold;
}

using RandomBitsFn = void (*)(Generator::State, uint64_t, size_t, uint32_t*);
using ApplyMaskFn = void (*)(const float*, const uint32_t*, uint32_t, float, float*, uint8_t*,
                             size_t);
RandomBitsFn find_random_bits() { return random_bits; }
ApplyMaskFn find_apply_mask() { return apply_mask; }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_random_bits);
HWY_EXPORT(find_apply_mask);

struct DropoutKernel final : Kernel {
  static constexpr int64_t kChunk = 1024;  // elements; a multiple of 4

  decltype(HWY_DYNAMIC_DISPATCH(find_random_bits)()) random =
      HWY_DYNAMIC_DISPATCH(find_random_bits)();
  decltype(HWY_DYNAMIC_DISPATCH(find_apply_mask)()) apply = HWY_DYNAMIC_DISPATCH(find_apply_mask)();
  DType type, ratio_type;
  int64_t count;
  bool has_mode, wants_mask, own_seed;
  int64_t seed;

  double ratio(const RunContext& ctx) const {
    switch (ratio_type) {
      case DType::f32: return dropout_ratio(*ctx.input<float>(1));
      case DType::f64: return dropout_ratio(*ctx.input<double>(1));
      case DType::f16: return dropout_ratio(static_cast<float>(*ctx.input<f16>(1)));
      case DType::bf16: return dropout_ratio(static_cast<float>(*ctx.input<bf16>(1)));
      default: return 0.5;
    }
  }

  void run(const RunContext& ctx) const override {
    const double dropped = ratio(ctx);
    if (!has_mode || !*ctx.input<bool>(2) || dropped == 0) {
      if (ctx.in[0] != ctx.out[0])
        std::memcpy(ctx.out[0], ctx.in[0], static_cast<size_t>(count) * size_of(type));
      if (wants_mask) std::memset(ctx.out[1], 1, static_cast<size_t>(count));
      return;
    }
    const Generator::State state = dropout_state(ctx.random, own_seed, seed);
    // to_unit_float(bits) >= dropped, in integers.
    const auto threshold = static_cast<uint32_t>(std::ceil(dropped * 0x1p24));
    const auto scale = static_cast<float>(1 / (1 - dropped));
    const int64_t chunks = (count + kChunk - 1) / kChunk;
    parallel_for(0, chunks, 8, [&](int64_t begin, int64_t end) {
      WidenedRow x(type, kChunk), y(type, kChunk);
      alignas(64) uint32_t bits[kChunk];
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        const int64_t at = chunk * kChunk;
        const auto n = static_cast<size_t>(std::min(kChunk, count - at));
        random(state, static_cast<uint64_t>(at) / 4, (n + 3) / 4, bits);
        apply(x.read(ctx.in[0], at, n), bits, threshold, scale, y.place(ctx.out[0], at),
              wants_mask ? ctx.output<uint8_t>(1) + at : nullptr, n);
        y.write(ctx.out[0], at, n);
      }
    });
  }
};

Prepared prepare_dropout(const PrepareContext& ctx) {
  const TensorSpec& x = ctx.inputs[0];
  if (x.dtype == DType::f64) return refuse("only f16, bf16, f32; data is f64");
  auto kernel = std::make_unique<DropoutKernel>();
  kernel->type = x.dtype;
  kernel->ratio_type = ctx.has_input(1) ? ctx.inputs[1].dtype : DType::undefined;
  kernel->count = x.numel();
  kernel->has_mode = ctx.has_input(2);
  kernel->wants_mask = ctx.wants_output(1);
  kernel->own_seed = ctx.has("seed");
  kernel->seed = kernel->own_seed ? ctx.i("seed") : 0;
  kernel->random_counters = dropout_counters(kernel->count);
  return kernel;
}

}  // namespace

constinit const KernelList dropout{{&op::Dropout, "cpu.dropout", prepare_dropout}};

}  // namespace tenon::cpu
#endif
