// Elementwise functions of one input that need no exponential. Exact where no bound is stated.
#include "backends/cpu/elementwise.h"
#include "backends/cpu/kernels/catalog.h"
#include "ops/catalog.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/unary.cpp"
#include "backends/cpu/element_loops_inl.h"
#include "backends/cpu/math_inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

struct AbsOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Abs(x);
  }
};
struct NegOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Neg(x);
  }
};
struct SqrtOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Sqrt(x);
  }
};
struct ReciprocalOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Div(hn::Set(d, hn::TFromD<D>{1}), x);
  }
};
struct SignOf : NoAttrs {  // zero and NaN stay as they are
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V zero = hn::Zero(d);
    const V one = hn::Set(d, hn::TFromD<D>{1});
    return hn::IfThenElse(hn::Gt(x, zero), one, hn::IfThenElse(hn::Lt(x, zero), hn::Neg(one), x));
  }
};
struct FloorOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Floor(x);
  }
};
struct CeilOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Ceil(x);
  }
};
struct RoundOf : NoAttrs {  // halves to even
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Round(x);
  }
};
struct ReluOf : NoAttrs {  // NaN stays NaN
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
  }
};
struct LeakyReluOf {
  float alpha;
  explicit LeakyReluOf(const ElementAttrs& attrs) : alpha(attrs.a) {}
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(x, hn::Set(d, alpha)), x);
  }
};
struct HardSigmoidOf {  // max(0, min(1, alpha*x + beta))
  float alpha, beta;
  explicit HardSigmoidOf(const ElementAttrs& attrs) : alpha(attrs.a), beta(attrs.b) {}
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V y = hn::Add(hn::Mul(x, hn::Set(d, alpha)), hn::Set(d, beta));
    return at_least(d, at_most(d, y, 1.0F), 0.0F);
  }
};
struct HardSwishOf : NoAttrs {  // x * max(0, min(1, x/6 + 1/2)): 2^-24 of max(1, |x|)
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V gate = hn::Add(hn::Mul(x, hn::Set(d, 1.0F / 6)), hn::Set(d, 0.5F));
    return hn::Mul(x, at_least(d, at_most(d, gate, 1.0F), 0.0F));
  }
};

ElementFn find_unary(const OpDef& op, DType type) {
  static constexpr ElementRow rows[] = {
      {&op::Abs, unary_signed<AbsOf>},
      {&op::Neg, unary_signed<NegOf>},
      {&op::Sqrt, unary_floats<SqrtOf>},
      {&op::Reciprocal, unary_floats<ReciprocalOf>},
      {&op::Sign, unary_floats<SignOf>},
      {&op::Floor, unary_floats<FloorOf>},
      {&op::Ceil, unary_floats<CeilOf>},
      {&op::Round, unary_floats<RoundOf>},
      {&op::Relu, unary_signed<ReluOf>},
      {&op::LeakyRelu, unary_f32<LeakyReluOf>},
      {&op::HardSigmoid, unary_f32<HardSigmoidOf>},
      {&op::HardSwish, unary_f32<HardSwishOf>},
  };
  return find_row(rows, op, type);
}

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_unary);

Prepared prepare(const PrepareContext& ctx) {
  ElementAttrs attrs;
  if (ctx.op.find_attr("alpha")) attrs.a = static_cast<float>(ctx.f("alpha"));
  if (ctx.op.find_attr("beta")) attrs.b = static_cast<float>(ctx.f("beta"));
  return prepare_same_type(ctx, HWY_DYNAMIC_DISPATCH(find_unary), kCheapGrain, attrs);
}

}  // namespace

constinit const KernelList unary{
    {&op::Abs, "cpu.abs", prepare, Strides::any},
    {&op::Neg, "cpu.neg", prepare, Strides::any},
    {&op::Sqrt, "cpu.sqrt", prepare, Strides::any},
    {&op::Reciprocal, "cpu.reciprocal", prepare, Strides::any},
    {&op::Sign, "cpu.sign", prepare, Strides::any},
    {&op::Floor, "cpu.floor", prepare, Strides::any},
    {&op::Ceil, "cpu.ceil", prepare, Strides::any},
    {&op::Round, "cpu.round", prepare, Strides::any},
    {&op::Relu, "cpu.relu", prepare, Strides::any},
    {&op::LeakyRelu, "cpu.leaky_relu", prepare, Strides::any},
    {&op::HardSigmoid, "cpu.hard_sigmoid", prepare, Strides::any},
    {&op::HardSwish, "cpu.hard_swish", prepare, Strides::any},
};

}  // namespace tenon::cpu
#endif
