// Activations beside those of unary.cpp and unary_exp.cpp, trigonometric functions, and the tests
// for infinities and NaN.
#include <cmath>

#include "backends/cpu/elementwise.h"
#include "backends/cpu/kernels/catalog.h"
#include "ops/catalog.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/activation.cpp"
#include "backends/cpu/element_loops_inl.h"
#include "backends/cpu/math_inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

struct SeluOf {  // gamma * (alpha * (e^x - 1)) at 0 and below, gamma * x above: 4 ULP
  float alpha, gamma;
  explicit SeluOf(const ElementAttrs& attrs) : alpha(attrs.a), gamma(attrs.b) {}
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const auto below = hn::Le(x, hn::Zero(d));
    const V y = hn::Mul(hn::Set(d, alpha), expm1_nonpositive(d, hn::IfThenElseZero(below, x)));
    return hn::Mul(hn::Set(d, gamma), hn::IfThenElse(below, y, x));
  }
};
struct CeluOf {  // alpha * (e^(x / alpha) - 1) below 0, alpha above 0: 4 ULP
  float alpha;
  explicit CeluOf(const ElementAttrs& attrs) : alpha(attrs.a) {}
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const auto below = hn::Lt(x, hn::Zero(d));
    const V scaled = hn::Div(hn::IfThenElseZero(below, x), hn::Set(d, alpha));
    return hn::IfThenElse(below, hn::Mul(hn::Set(d, alpha), expm1_nonpositive(d, scaled)), x);
  }
};
struct ThresholdedReluOf {  // x above alpha, else 0
  float alpha;
  explicit ThresholdedReluOf(const ElementAttrs& attrs) : alpha(attrs.a) {}
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::IfThenElseZero(hn::Gt(x, hn::Set(d, alpha)), x);
  }
};
struct SoftsignOf : NoAttrs {  // x / (1 + |x|)
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Div(x, hn::Add(hn::Set(d, hn::TFromD<D>{1}), hn::Abs(x)));
  }
};
struct PReluOf : NoAttrs {  // slope * x below 0
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V slope) const {
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(x, slope), x);
  }
};

// The C library's functions, of floats.
template <float (*function)(float)>
void library_loop(const void* const* in, void* out, size_t n, unsigned, const ElementAttrs&) {
  const auto* x = static_cast<const float*>(in[0]);
  auto* y = static_cast<float*>(out);
  for (size_t i = 0; i < n; ++i) y[i] = function(x[i]);
}
template <float (*function)(float)>
ElementFn library_row(DType type) {
  return type == DType::f32 ? library_loop<function> : nullptr;
}

ElementFn find_activation(const OpDef& op, DType type) {
  static constexpr ElementRow rows[] = {
      {&op::Selu, unary_f32<SeluOf>},
      {&op::Celu, unary_f32<CeluOf>},
      {&op::ThresholdedRelu, unary_f32<ThresholdedReluOf>},
      {&op::Softsign, unary_floats<SoftsignOf>},
      {&op::PRelu, binary_floats<PReluOf>},
      {&op::Tan, library_row<std::tan>},
      {&op::Asin, library_row<std::asin>},
      {&op::Acos, library_row<std::acos>},
      {&op::Atan, library_row<std::atan>},
      {&op::Sinh, library_row<std::sinh>},
      {&op::Cosh, library_row<std::cosh>},
      {&op::Asinh, library_row<std::asinh>},
      {&op::Acosh, library_row<std::acosh>},
      {&op::Atanh, library_row<std::atanh>},
  };
  return find_row(rows, op, type);
}

template <class T>
void is_nan_loop(const void* const* in, void* out, size_t n, unsigned, const ElementAttrs&) {
  const auto* x = static_cast<const T*>(in[0]);
  auto* y = static_cast<uint8_t*>(out);
  for (size_t i = 0; i < n; ++i) y[i] = x[i] != x[i];
}
// The bounds are the infinities looked for; NaN where one is not.
template <class T>
void is_inf_loop(const void* const* in, void* out, size_t n, unsigned, const ElementAttrs& attrs) {
  const auto* x = static_cast<const T*>(in[0]);
  auto* y = static_cast<uint8_t*>(out);
  const T low = attrs.a, high = attrs.b;
  for (size_t i = 0; i < n; ++i) y[i] = x[i] == low || x[i] == high;
}
ElementFn find_is_nan(DType type) {
  return type == DType::f64 ? is_nan_loop<double> : is_nan_loop<float>;
}
ElementFn find_is_inf(DType type) {
  return type == DType::f64 ? is_inf_loop<double> : is_inf_loop<float>;
}

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_activation);
HWY_EXPORT(find_is_nan);
HWY_EXPORT(find_is_inf);

Prepared prepare(const PrepareContext& ctx) {
  ElementAttrs attrs;
  if (ctx.op.find_attr("alpha")) attrs.a = static_cast<float>(ctx.f("alpha"));
  if (ctx.op.find_attr("gamma")) attrs.b = static_cast<float>(ctx.f("gamma"));
  return prepare_same_type(ctx, HWY_DYNAMIC_DISPATCH(find_activation), kCostlyGrain, attrs);
}

Prepared prepare_celu(const PrepareContext& ctx) {
  if (!(ctx.f("alpha") > 0)) return refuse(fmt::format("alpha is {}, not above 0", ctx.f("alpha")));
  return prepare(ctx);
}

DType loop_type(const PrepareContext& ctx) {
  return ctx.inputs[0].dtype == DType::f64 ? DType::f64 : DType::f32;
}

Refusal refuse_stored(const PrepareContext& ctx) {
  return refuse(fmt::format("only f16, bf16, f32, f64; X is {}", name(ctx.inputs[0].dtype)));
}

Prepared prepare_is_nan(const PrepareContext& ctx) {
  if (!is_float(ctx.inputs[0].dtype)) return refuse_stored(ctx);
  const DType type = loop_type(ctx);
  return prepare_elementwise(
      ctx,
      {HWY_DYNAMIC_DISPATCH(find_is_nan)(type), {type, type, type}, DType::boolean, kCheapGrain});
}

Prepared prepare_is_inf(const PrepareContext& ctx) {
  if (!is_float(ctx.inputs[0].dtype)) return refuse_stored(ctx);
  const DType type = loop_type(ctx);
  const ElementAttrs attrs{ctx.i("detect_negative") ? -INFINITY : NAN,
                           ctx.i("detect_positive") ? INFINITY : NAN};
  return prepare_elementwise(
      ctx,
      {HWY_DYNAMIC_DISPATCH(find_is_inf)(type), {type, type, type}, DType::boolean, kCheapGrain},
      attrs);
}

}  // namespace

constinit const KernelList activation{
    {&op::Selu, "cpu.selu", prepare, Strides::any},
    {&op::Celu, "cpu.celu", prepare_celu, Strides::any},
    {&op::ThresholdedRelu, "cpu.thresholded_relu", prepare, Strides::any},
    {&op::Softsign, "cpu.softsign", prepare, Strides::any},
    {&op::PRelu, "cpu.p_relu", prepare, Strides::any},
    {&op::Tan, "cpu.tan", prepare, Strides::any},
    {&op::Asin, "cpu.asin", prepare, Strides::any},
    {&op::Acos, "cpu.acos", prepare, Strides::any},
    {&op::Atan, "cpu.atan", prepare, Strides::any},
    {&op::Sinh, "cpu.sinh", prepare, Strides::any},
    {&op::Cosh, "cpu.cosh", prepare, Strides::any},
    {&op::Asinh, "cpu.asinh", prepare, Strides::any},
    {&op::Acosh, "cpu.acosh", prepare, Strides::any},
    {&op::Atanh, "cpu.atanh", prepare, Strides::any},
    {&op::IsNaN, "cpu.is_nan", prepare_is_nan, Strides::any},
    {&op::IsInf, "cpu.is_inf", prepare_is_inf, Strides::any},
};

}  // namespace tenon::cpu
#endif
