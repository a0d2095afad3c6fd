// Products of 8-bit matrices whose right side is a constant: packed once, its zero points taken
// off. MatMulInteger, MatMulIntegerToFloat, QLinearMatMul and QGemm. What the left side's zero
// point adds is taken off again with the bias, so that scales and zero points may change from run
// to run.
#include <algorithm>
#include <vector>

#include "backends/cpu/byte_product.h"
#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/math/product_rules.h"
#include "ops/microsoft/catalog.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"
#include "runtime/packed_store.h"

namespace tenon::cpu {

namespace {

// Where an operator has its inputs; kNone: it has no such one.
constexpr size_t kNone = SIZE_MAX;
struct Ports {
  size_t a, a_scale, a_zero, b, b_scale, b_zero, bias, y_scale, y_zero;
};
constexpr Ports kInteger{0, kNone, 2, 1, kNone, 3, kNone, kNone, kNone};
constexpr Ports kToFloat{0, 2, 4, 1, 3, 5, 6, kNone, kNone};
constexpr Ports kQLinear{0, 1, 2, 3, 4, 5, kNone, 6, 7};
constexpr Ports kGemm{0, 1, 2, 3, 4, 5, 6, 7, 8};

// The least work of a thread, in multiplications.
constexpr int64_t kGrain = 1 << 19;
constexpr int64_t kBlockRows = 64;

struct ByteMatMul : Kernel {
  Ports p;
  ByteProduct product;
  Tensor packed;
  int64_t rows, inner;
  DType a_type;
  bool has_a_zero, has_bias, one_b_scale;
  float alpha = 1;
  size_t terms_at = 0;  // in the scratch, behind the rows: biases, then scales

  ByteMatMul(const PrepareContext& ctx, const Ports& ports, const ByteProduct& shape,
             int64_t row_count, int64_t inner_size)
      : p(ports),
        product(shape),
        rows(row_count),
        inner(inner_size),
        a_type(ctx.inputs[ports.a].dtype),
        has_a_zero(ports.a_zero != kNone && ctx.has_input(ports.a_zero)),
        has_bias(ports.bias != kNone && ctx.has_input(ports.bias)),
        one_b_scale(ports.b_scale != kNone && ctx.inputs[ports.b_scale].numel() == 1) {
    if (!product.takes_as_is(a_type))
      scratch_bytes = static_cast<size_t>(rows * product.row_bytes());
    terms_at = (scratch_bytes + 63) / 64 * 64;
    scratch_bytes = terms_at + static_cast<size_t>(product.columns()) * 8;
  }

  int32_t* biases(const RunContext& ctx) const {
    return reinterpret_cast<int32_t*>(static_cast<std::byte*>(ctx.scratch) + terms_at);
  }
  float* scales(const RunContext& ctx) const {
    return reinterpret_cast<float*>(biases(ctx) + product.columns());
  }
  int32_t a_zero(const RunContext& ctx) const {
    return has_a_zero ? byte_at(ctx.in[p.a_zero], a_type, 0) : 0;
  }
  // A 32-bit bias, and what takes the left zero point off.
  void find_biases(const RunContext& ctx, bool of_sums) const {
    int32_t* to = biases(ctx);
    if (of_sums && has_bias)
      std::copy_n(ctx.input<int32_t>(p.bias), product.columns(), to);
    else
      std::fill_n(to, product.columns(), 0);
    product.correct(packed.data<int32_t>(), a_type, a_zero(ctx), to);
  }
  // `a * b` of each column, over `y` where there is one: in the order in which the operators' own
  // definitions multiply.
  void find_scales(const RunContext& ctx, const float* y) const {
    float* to = scales(ctx);
    float a = *ctx.input<float>(p.a_scale);
    if (alpha != 1) a *= alpha;
    const auto* b = ctx.input<float>(p.b_scale);
    for (int64_t j = 0; j < product.columns(); ++j) {
      const float scale = a * b[one_b_scale ? 0 : j];
      to[j] = y ? scale / *y : scale;
    }
  }

  // finish(tile)
  template <class Finish>
  void multiply(const RunContext& ctx, const Finish& finish) const {
    const std::byte* from = ctx.input<std::byte>(p.a);
    if (!product.takes_as_is(a_type)) {
      lay_rows(ctx);
      from = static_cast<const std::byte*>(ctx.scratch);
    }
    const int64_t stride = product.row_bytes(), panels = product.panels();
    const int64_t blocks = (rows + kBlockRows - 1) / kBlockRows;
    const int64_t wanted = 4 * thread_count();
    const int64_t groups = std::clamp<int64_t>((wanted + blocks - 1) / blocks, 1, panels);
    const int64_t work = std::max<int64_t>(1, rows * inner * product.columns() / (blocks * groups));
    parallel_for(
        0, blocks * groups, std::max<int64_t>(1, kGrain / work), [&](int64_t begin, int64_t end) {
          for (int64_t at = begin; at < end; ++at) {
            const int64_t first = at / groups * kBlockRows, group = at % groups;
            product.multiply(from + first * stride, stride, std::min(kBlockRows, rows - first),
                             packed.data<int32_t>(), group * panels / groups,
                             (group + 1) * panels / groups, [&](ByteTile tile) {
                               tile.row += first;
                               finish(tile);
                             });
          }
        });
  }

 private:
  void lay_rows(const RunContext& ctx) const {
    const auto* from = ctx.input<std::byte>(p.a);
    auto* to = static_cast<std::byte*>(ctx.scratch);
    const int32_t zero = a_zero(ctx);
    parallel_for(0, rows, std::max<int64_t>(1, 65536 / (inner + 1)),
                 [&](int64_t begin, int64_t end) {
                   if (product.rows_join())
                     return product.lay(from + begin * inner, a_type, (end - begin) * inner, zero,
                                        to + begin * product.row_bytes());
                   for (int64_t row = begin; row < end; ++row) {
                     std::byte* place = to + row * product.row_bytes();
                     product.lay(from + row * inner, a_type, inner, zero, place);
                     product.finish_row(place);
                   }
                 });
  }
};

struct SumsOut final : ByteMatMul {
  using ByteMatMul::ByteMatMul;
  void run(const RunContext& ctx) const override {
    find_biases(ctx, false);
    const int32_t* bias = biases(ctx);
    auto* y = ctx.output<int32_t>(0);
    multiply(ctx, [&](const ByteTile& tile) { tile.add(bias, y, product.columns()); });
  }
};

// The bias is added to the sums (QGemm) or to the floats (MatMulIntegerToFloat).
template <bool kBiasOfSums>
struct FloatsOut final : ByteMatMul {
  using ByteMatMul::ByteMatMul;
  void run(const RunContext& ctx) const override {
    find_biases(ctx, kBiasOfSums);
    find_scales(ctx, nullptr);
    const int32_t* bias = biases(ctx);
    const float* scale = scales(ctx);
    const float* add = !kBiasOfSums && has_bias ? ctx.input<float>(p.bias) : nullptr;
    auto* y = ctx.output<float>(0);
    multiply(ctx, [&](const ByteTile& tile) {
      for (int64_t r = 0; r < tile.rows; ++r)
        ByteProduct::loops().to_floats(tile.of(r), static_cast<size_t>(tile.columns),
                                       bias + tile.column, scale + tile.column,
                                       add ? add + tile.column : nullptr,
                                       y + (tile.row + r) * product.columns() + tile.column);
    });
  }
};

struct BytesOut final : ByteMatMul {
  DType type;

  BytesOut(const PrepareContext& ctx, const Ports& ports, const ByteProduct& shape,
           int64_t row_count, int64_t inner_size)
      : ByteMatMul(ctx, ports, shape, row_count, inner_size), type(ctx.outputs[0].dtype) {}

  void run(const RunContext& ctx) const override {
    find_biases(ctx, true);
    find_scales(ctx, ctx.input<float>(p.y_scale));
    Requantization how;
    how.type = type;
    how.zero_point = byte_at(ctx.in[p.y_zero], type, 0);
    how.biases = biases(ctx);
    how.scale = scales(ctx);
    auto* y = ctx.output<std::byte>(0);
    multiply(ctx, [&](const ByteTile& tile) { tile.requantize(how, y, product.columns()); });
  }
};

// Why the kernel is not for this call; empty where it is.
std::string refusal(const PrepareContext& ctx, const Ports& p, int64_t inner, int64_t columns) {
  if (!ctx.is_constant(p.b)) return "the right side is not a constant";
  if (ctx.has_input(p.b_zero) && !ctx.is_constant(p.b_zero))
    return "the zero points of the right side are not constant";
  if (ctx.outputs[0].numel() == 0 || inner == 0) return "nothing to compute";
  if (ctx.inputs[p.b].numel() != inner * columns) return "the right side is a stack of matrices";
  for (size_t port : {p.a, p.b, p.y_zero})
    if (port != kNone && ctx.has_input(port) && !integer_rules::kBytes.has(ctx.inputs[port].dtype))
      return fmt::format("only i8 and u8; an input is {}", name(ctx.inputs[port].dtype));
  for (size_t port : {p.a_scale, p.b_scale, p.y_scale})
    if (port != kNone && ctx.has_input(port) && ctx.inputs[port].dtype != DType::f32)
      return fmt::format("only scales of f32; one is {}", name(ctx.inputs[port].dtype));
  for (size_t port : {p.a_scale, p.a_zero})
    if (port != kNone && ctx.has_input(port) && ctx.inputs[port].numel() != 1)
      return "each row has its own scale or zero point";
  for (size_t port : {p.b_scale, p.b_zero, p.bias}) {
    if (port == kNone || !ctx.has_input(port)) continue;
    const TensorSpec& spec = ctx.inputs[port];
    const bool row = spec.numel() == columns && (spec.rank() == 0 || spec.shape.back() == columns);
    if (!row && (port == p.bias || spec.numel() != 1))
      return fmt::format("{} is {}; it takes one for each column", ctx.op.inputs[port].name,
                         spec.shape.str());
  }
  return "";
}

struct RightSide {
  int64_t inner, columns;
  bool transposed = false;  // [columns, inner]
};

template <class Made>
Prepared make(const PrepareContext& ctx, const Ports& p, const RightSide& b) {
  if (std::string why = refusal(ctx, p, b.inner, b.columns); !why.empty())
    return refuse(std::move(why));
  const TensorSpec& given = ctx.inputs[p.b];
  ByteZeroPoints zeros{nullptr, given.dtype, 1};
  if (ctx.has_input(p.b_zero)) {
    zeros.data = ctx.inputs[p.b_zero].constant;
    zeros.count = ctx.inputs[p.b_zero].numel();
  }
  const ByteForm form =
      zeros.form_of(given.constant, given.dtype, given.numel(), b.columns, b.transposed);
  const ByteProduct product(form, b.inner, b.columns);
  auto kernel = std::make_unique<Made>(ctx, p, product, ctx.inputs[p.a].numel() / b.inner, b.inner);
  // The zero points belong to the key: they may differ where the bytes are shared.
  std::string key = fmt::format("bytes {} {}{}", product.layout(), name(given.dtype),
                                b.transposed ? " transposed" : "");
  for (int64_t j = 0; j < zeros.count; ++j) key += fmt::format(" {}", zeros.at(j));
  const auto pack_now = [&] {
    Tensor made = Tensor::empty({product.packed_size()}, DType::i32);
    const auto pack = [&](const auto* bytes) {
      product.pack(
          [&](int64_t k, int64_t j) {
            return int32_t{bytes[b.transposed ? j * b.inner + k : k * b.columns + j]} - zeros.at(j);
          },
          made.data<int32_t>());
    };
    if (given.dtype == DType::i8)
      pack(static_cast<const int8_t*>(given.constant));
    else
      pack(static_cast<const uint8_t*>(given.constant));
    return made;
  };
  kernel->packed =
      ctx.packed->get(given.constant, key, pack_now, {DType::i32, product.packed_size()});
  return kernel;
}

RightSide right_side(const PrepareContext& ctx, size_t a, size_t b) {
  const product_rules::Sizes sizes =
      product_rules::sizes_of(ctx.inputs[a].shape, ctx.inputs[b].shape);
  return {sizes.inner, sizes.columns};
}

Prepared prepare_integer(const PrepareContext& ctx) {
  return make<SumsOut>(ctx, kInteger, right_side(ctx, 0, 1));
}

Prepared prepare_to_float(const PrepareContext& ctx) {
  if (ctx.outputs[0].dtype != DType::f32)
    return refuse(fmt::format("only floats of f32, not {}", name(ctx.outputs[0].dtype)));
  return make<FloatsOut<false>>(ctx, kToFloat, right_side(ctx, 0, 1));
}

Prepared prepare_q_linear(const PrepareContext& ctx) {
  return make<BytesOut>(ctx, kQLinear, right_side(ctx, 0, 3));
}

Prepared prepare_gemm(const PrepareContext& ctx) {
  if (ctx.i("transA") != 0) return refuse("A is transposed");
  const Shape& b = ctx.inputs[3].shape;
  const bool transposed = ctx.i("transB") != 0;
  const RightSide right{b[transposed ? 1 : 0], b[transposed ? 0 : 1], transposed};
  Prepared made = ctx.has_input(7) ? make<BytesOut>(ctx, kGemm, right)
                                   : make<FloatsOut<true>>(ctx, kGemm, right);
  if (auto* kernel = std::get_if<std::unique_ptr<Kernel>>(&made))
    static_cast<ByteMatMul&>(**kernel).alpha = static_cast<float>(ctx.f("alpha"));
  return made;
}

}  // namespace

constinit const KernelList byte_mat_mul{
    {&op::MatMulInteger, "cpu.byte_mat_mul_integer", prepare_integer},
    {&op::MatMulIntegerToFloat, "cpu.byte_mat_mul_to_float", prepare_to_float},
    {&op::QLinearMatMul, "cpu.byte_q_linear_mat_mul", prepare_q_linear},
    {&op::QGemm, "cpu.byte_q_gemm", prepare_gemm},
};

}  // namespace tenon::cpu
