// QuantizeLinear and DequantizeLinear.
#include <algorithm>
#include <array>
#include <cmath>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/quant/catalog.h"
#include "ops/quant/granularity.h"
#include "tensor/convert.h"

namespace tenon::reference {

namespace {

using op::quant::ScaleLayout;

// fn(element, scale) for all of them, in row-major order.
template <class Fn>
void for_each_scaled(const ScaleLayout& layout, Fn&& fn) {
  int64_t element = 0;
  for (int64_t o = 0; o < layout.outer; ++o)
    for (int64_t a = 0; a < layout.axis; ++a)
      for (int64_t i = 0; i < layout.inner; ++i)
        fn(element++,
           o * layout.outer_step + a / layout.block * layout.axis_step + i * layout.inner_step);
}

// What a number becomes in a type.
class Rounded {
 public:
  explicit Rounded(DType type) : load_(loader<double>(type)), store_(storer<double>(type)) {}
  double operator()(double value) const {
    alignas(8) std::array<std::byte, 8> element;
    store_(element.data(), 0, value);
    return load_(element.data(), 0);
  }

 private:
  LoadFn<double> load_;
  StoreFn<double> store_;
};

// The type that x / scale is computed in. Integers divide as in NumPy, exponents alone in f32.
DType division_type(const PrepareContext& ctx) {
  if (const int64_t precision = ctx.i("precision")) return static_cast<DType>(precision);
  const DType scale = ctx.inputs[1].dtype;
  if (is_float(scale)) return scale;
  return scale == DType::i32 ? DType::f64 : DType::f32;
}

struct Range {
  double low, high;
};
Range range_of(DType type) {
  const int bits = bits_of(type);
  const bool is_signed = is_signed_int(type) || type == DType::i4 || type == DType::i2;
  return is_signed ? Range{-std::ldexp(1, bits - 1), std::ldexp(1, bits - 1) - 1}
                   : Range{0, std::ldexp(1, bits) - 1};
}

Prepared prepare_quantize(const PrepareContext& ctx) {
  const DType x_type = ctx.inputs[0].dtype, scale_type = ctx.inputs[1].dtype;
  const DType y_type = ctx.outputs[0].dtype, division = division_type(ctx);
  const ScaleLayout layout = op::quant::scale_layout(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape);
  const bool has_zero = ctx.has_input(2), saturate = ctx.i("saturate") != 0;
  return make_kernel([=](const RunContext& run) {
    const Rounded rounded(division);
    const In<double> x(x_type, run.in[0]), scale(scale_type, run.in[1]);
    const In<double> zero(y_type, has_zero ? run.in[2] : nullptr);
    const Out<double> y(y_type, run.out[0]);
    auto* codes = run.output<uint8_t>(0);
    const bool narrow = kNarrowFloats.has(y_type);
    const Range range = narrow ? Range{} : range_of(y_type);
    for_each_scaled(layout, [&](int64_t i, int64_t s) {
      double value = rounded(rounded(x[i]) / rounded(scale[s]));
      const double point = has_zero ? zero[s] : 0;
      if (narrow) {
        if (point != 0) value += point;
        codes[i] = code_of(y_type, detail::narrow_to_odd(value), {.saturate = saturate});
      } else {
        value = std::nearbyint(value) + point;
        y.set(i, value > range.low ? std::min(value, range.high) : range.low);
      }
    });
  });
}

Prepared prepare_dequantize(const PrepareContext& ctx) {
  const DType x_type = ctx.inputs[0].dtype, scale_type = ctx.inputs[1].dtype;
  const DType y_type = ctx.outputs[0].dtype;
  const ScaleLayout layout = op::quant::scale_layout(ctx, ctx.inputs[0].shape, ctx.inputs[1].shape);
  const bool has_zero = ctx.has_input(2);
  return make_kernel([=](const RunContext& run) {
    const In<double> x(x_type, run.in[0]), scale(scale_type, run.in[1]);
    const In<double> zero(x_type, has_zero ? run.in[2] : nullptr);
    const Out<double> y(y_type, run.out[0]);
    for_each_scaled(layout, [&](int64_t i, int64_t s) {
      y.set(i, (x[i] - (has_zero ? zero[s] : 0)) * scale[s]);
    });
  });
}

}  // namespace

constinit const KernelList quantize{
    {&op::QuantizeLinear, "reference.quantize_linear", prepare_quantize},
    {&op::DequantizeLinear, "reference.dequantize_linear", prepare_dequantize},
};

}  // namespace tenon::reference
