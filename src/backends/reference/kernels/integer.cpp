// Products of 8-bit integers: ConvInteger, MatMulInteger, QLinearConv and QLinearMatMul. Sums wrap
// to 32 bits; scales are multiplied in f32, in the order that the operators' formulas have.
#include "backends/reference/kernels/catalog.h"
#include "backends/reference/windows.h"
#include "ops/nn/conv_rules.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"

namespace tenon::reference {

namespace {

using integer_rules::ParameterWalk;
using product_rules::Sizes;

// The elements of one input as Wide; zeros where it is absent.
template <class Wide>
class Numbers {
 public:
  Numbers(DType type, const void* base) {
    if (base) in_.emplace(type, base);
  }
  Wide operator[](int64_t i) const { return in_ ? (*in_)[i] : Wide{0}; }

 private:
  std::optional<In<Wide>> in_;
};
using Integers = Numbers<int64_t>;

// Types of the inputs by port, undefined where absent.
std::vector<DType> types_of(const PrepareContext& ctx) {
  std::vector<DType> list;
  for (const TensorSpec& spec : ctx.inputs) list.push_back(spec.dtype);
  list.resize(ctx.op.inputs.size());
  return list;
}

// Which inputs are what: the two kinds of operators have them in different places.
struct Ports {
  size_t a, b, a_zero, b_zero;
};
constexpr Ports kPlain{0, 1, 2, 3};
constexpr Ports kScaled{0, 3, 2, 5};

// -- Matrices ------------------------------------------------------------------------------------

struct MatMulKernel : Kernel {
  MatMulKernel(const PrepareContext& ctx, Ports p)
      : ports(p),
        types(types_of(ctx)),
        sizes(product_rules::sizes_of(ctx.inputs[p.a].shape, ctx.inputs[p.b].shape)) {
    if (ctx.has_input(p.a_zero))
      a_zero = integer_rules::walk_rows(ctx.inputs[p.a_zero].shape, sizes);
    if (ctx.has_input(p.b_zero))
      b_zero = integer_rules::walk_columns(ctx.inputs[p.b_zero].shape, sizes);
  }

  static int64_t place(const ParameterWalk& walk, const Shape& at, int64_t line) {
    return walk.batch_strides.rank() == 0 ? line * walk.step
                                          : offset_of(at, walk.batch_strides) + line * walk.step;
  }

  // Calls fn(element of the result, matrix, row, column, sum).
  template <class Wide, class Fn>
  void for_each_sum(const RunContext& run, Fn&& fn) const {
    const auto numbers = [&](size_t port) { return Numbers<Wide>(types[port], run.in[port]); };
    const Numbers<Wide> a = numbers(ports.a), b = numbers(ports.b);
    const Numbers<Wide> za = numbers(ports.a_zero), zb = numbers(ports.b_zero);
    int64_t element = 0;
    for_each_index(sizes.batch, [&](const Shape& at, int64_t) {
      const int64_t left = offset_of(at, sizes.a_strides), right = offset_of(at, sizes.b_strides);
      for (int64_t i = 0; i < sizes.rows; ++i)
        for (int64_t j = 0; j < sizes.columns; ++j) {
          const Wide row_zero = za[place(a_zero, at, i)], column_zero = zb[place(b_zero, at, j)];
          Wide sum = 0;
          for (int64_t k = 0; k < sizes.inner; ++k)
            sum += (a[left + i * sizes.inner + k] - row_zero) *
                   (b[right + k * sizes.columns + j] - column_zero);
          fn(element++, at, i, j, sum);
        }
    });
  }

  Ports ports;
  std::vector<DType> types;
  Sizes sizes;
  ParameterWalk a_zero, b_zero;
};

struct MatMulIntegerKernel final : MatMulKernel {
  using MatMulKernel::MatMulKernel;
  void run(const RunContext& ctx) const override {
    auto* y = ctx.output<int32_t>(0);
    for_each_sum<int64_t>(ctx, [&](int64_t element, const Shape&, int64_t, int64_t, int64_t sum) {
      y[element] = static_cast<int32_t>(sum);
    });
  }
};

struct QLinearMatMulKernel final : MatMulKernel {
  explicit QLinearMatMulKernel(const PrepareContext& ctx)
      : MatMulKernel(ctx, kScaled),
        a_scale(integer_rules::walk_rows(ctx.inputs[1].shape, sizes)),
        b_scale(integer_rules::walk_columns(ctx.inputs[4].shape, sizes)) {}

  void run(const RunContext& ctx) const override {
    // 8-bit floats are summed in double.
    if (integer_rules::kBytes.has(types[0]) && integer_rules::kBytes.has(types[3]))
      multiply<int64_t>(ctx, [](int64_t sum) { return static_cast<int32_t>(sum); });
    else
      multiply<double>(ctx, [](double sum) { return sum; });
  }

  template <class Wide, class Narrow>
  void multiply(const RunContext& ctx, Narrow&& narrow) const {
    const In<double> sa(types[1], ctx.in[1]), sb(types[4], ctx.in[4]), sy(types[6], ctx.in[6]);
    const DType type = types[7];
    const bool is_byte = integer_rules::kBytes.has(type);
    const double zero = In<double>(type, ctx.in[7])[0];
    const Out<double> y(type, ctx.out[0]);
    const auto y_scale = static_cast<float>(sy[0]);
    for_each_sum<Wide>(ctx, [&](int64_t element, const Shape& at, int64_t i, int64_t j, Wide sum) {
      const float scale = static_cast<float>(sa[place(a_scale, at, i)]) *
                          static_cast<float>(sb[place(b_scale, at, j)]) / y_scale;
      const float value = static_cast<float>(narrow(sum)) * scale;
      y.set(element, is_byte ? integer_rules::quantized(value, static_cast<int32_t>(zero), type)
                             : value + zero);
    });
  }

  ParameterWalk a_scale, b_scale;
};

// -- Convolutions --------------------------------------------------------------------------------

struct ConvKernel : Kernel {
  ConvKernel(const PrepareContext& ctx, Ports p)
      : ports(p),
        types(types_of(ctx)),
        g(conv_rules::of_conv(ctx, ctx.inputs[p.a].shape, ctx.inputs[p.b].shape)),
        zero_step(ctx.has_input(p.b_zero) && ctx.inputs[p.b_zero].numel() > 1) {}

  // Calls fn(element of the result, map, sum).
  template <class Fn>
  void for_each_sum(const RunContext& run, Fn&& fn) const {
    const Integers x(types[ports.a], run.in[ports.a]), w(types[ports.b], run.in[ports.b]);
    const Integers zx(types[ports.a_zero], run.in[ports.a_zero]);
    const Integers zw(types[ports.b_zero], run.in[ports.b_zero]);
    const int64_t pixels = g.windows.input.numel(), taps = g.windows.kernel.numel();
    const int64_t x_zero = zx[0];
    for (int64_t n = 0, element = 0; n < g.batch; ++n)
      for (int64_t m = 0; m < g.maps; ++m) {
        const int64_t first = n * g.channels + m / g.group_maps() * g.group_channels();
        const int64_t w_zero = zw[m * zero_step];
        for_each_index(g.windows.output, [&](const Shape& at, int64_t) {
          int64_t sum = 0;
          for_each_tap(g.windows, at, [&](int64_t tap, int64_t pixel) {
            for (int64_t c = 0; c < g.group_channels(); ++c)
              sum += (x[(first + c) * pixels + pixel] - x_zero) *
                     (w[(m * g.group_channels() + c) * taps + tap] - w_zero);
          });
          fn(element++, m, static_cast<int32_t>(sum));
        });
      }
  }

  Ports ports;
  std::vector<DType> types;
  conv_rules::Geometry g;
  int64_t zero_step;
};

struct ConvIntegerKernel final : ConvKernel {
  using ConvKernel::ConvKernel;
  void run(const RunContext& ctx) const override {
    auto* y = ctx.output<int32_t>(0);
    for_each_sum(ctx, [&](int64_t element, int64_t, int32_t sum) { y[element] = sum; });
  }
};

struct QLinearConvKernel final : ConvKernel {
  explicit QLinearConvKernel(const PrepareContext& ctx)
      : ConvKernel(ctx, kScaled), scale_step(ctx.inputs[4].numel() > 1) {}

  void run(const RunContext& ctx) const override {
    const float x_scale = *ctx.input<float>(1), y_scale = *ctx.input<float>(6);
    const auto* w_scale = ctx.input<float>(4);
    const auto* bias = ctx.input<int32_t>(8);
    const DType type = types[7];
    const auto zero = static_cast<int32_t>(Integers(type, ctx.in[7])[0]);
    const Out<int64_t> y(type, ctx.out[0]);
    for_each_sum(ctx, [&](int64_t element, int64_t m, int32_t sum) {
      const float scale = x_scale * w_scale[m * scale_step] / y_scale;
      const auto total = static_cast<int32_t>(int64_t{sum} + (bias ? bias[m] : 0));
      y.set(element, integer_rules::quantized(static_cast<float>(total) * scale, zero, type));
    });
  }

  int64_t scale_step;
};

Prepared prepare_mat_mul_integer(const PrepareContext& ctx) {
  return std::make_unique<MatMulIntegerKernel>(ctx, kPlain);
}
Prepared prepare_q_linear_mat_mul(const PrepareContext& ctx) {
  return std::make_unique<QLinearMatMulKernel>(ctx);
}
Prepared prepare_conv_integer(const PrepareContext& ctx) {
  return std::make_unique<ConvIntegerKernel>(ctx, kPlain);
}
Prepared prepare_q_linear_conv(const PrepareContext& ctx) {
  return std::make_unique<QLinearConvKernel>(ctx);
}

}  // namespace

constinit const KernelList integer{
    {&op::MatMulInteger, "reference.mat_mul_integer", prepare_mat_mul_integer},
    {&op::QLinearMatMul, "reference.q_linear_mat_mul", prepare_q_linear_mat_mul},
    {&op::ConvInteger, "reference.conv_integer", prepare_conv_integer},
    {&op::QLinearConv, "reference.q_linear_conv", prepare_q_linear_conv},
};

}  // namespace tenon::reference
