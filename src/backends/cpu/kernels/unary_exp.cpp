// Elementwise functions of one input that are built on the exponential, the logarithm, the error
// function and sine. Error bounds stand beside the functions of math_inl.h, or here.
#include "backends/cpu/elementwise.h"
#include "backends/cpu/kernels/catalog.h"
#include "ops/catalog.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/unary_exp.cpp"
#include "backends/cpu/element_loops_inl.h"
#include "backends/cpu/math_inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

struct ExpOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return exp(d, x);
  }
};
struct LogOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return log(d, x);
  }
};
struct ErfOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return erf(d, x);
  }
};
struct SinOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return sin(d, x);
  }
};
struct CosOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return cos(d, x);
  }
};
struct TanhOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return tanh(d, x);
  }
};
struct SigmoidOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return sigmoid(d, x);
  }
};
struct SwishOf {  // x*sigmoid(alpha*x): 4 ULP of sigmoid's range
  float alpha;
  explicit SwishOf(const ElementAttrs& attrs) : alpha(attrs.a) {}
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Mul(x, sigmoid(d, hn::Mul(x, hn::Set(d, alpha))));
  }
};
struct EluOf {  // alpha*(e^x - 1) below 0: 3 ULP
  float alpha;
  explicit EluOf(const ElementAttrs& attrs) : alpha(attrs.a) {}
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const auto below = hn::Lt(x, hn::Zero(d));
    const V y = hn::Mul(hn::Set(d, alpha), expm1_nonpositive(d, hn::IfThenElseZero(below, x)));
    return hn::IfThenElse(below, y, x);
  }
};
// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|): 3 ULP, relative, from -87 on.
struct SoftplusOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V e = exp_nonpositive(d, hn::Neg(hn::Abs(x)));
    return hn::Add(at_least(d, x, 0.0F), log1p_unit(d, e));
  }
};
// x*tanh(softplus(x)) = x*n/(n + 2) with n = e^x*(e^x + 2): 4 ULP from -87 on. From x = 20 on it is
// x after rounding.
struct MishOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V two = hn::Set(d, 2.0F);
    const V e = exp_bounded(d, at_least(d, at_most(d, x, 20.0F), -87.0F));
    const V n = hn::Mul(e, hn::Add(e, two));
    return hn::Mul(x, hn::Div(n, hn::Add(n, two)));
  }
};
// x*Phi(x) = x/2*erfc(-x/sqrt(2)), with erfc(a) = e^(-a*q(a)) for all a >= 0: 2^-22 of |x|. From
// a = 5.9 on erfc is below 2^-54.
struct GeluOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V a = hn::Abs(hn::Mul(x, hn::Set(d, 0.707106781F)));
    const V q =
        polynomial(d, a, 1.12837917F, 0.636619904F, 0.102770299F, -0.0191128356F, -2.64924996e-4F,
                   1.8153992e-3F, -7.53241651e-4F, 1.73112689e-4F, -2.26929413e-5F, 1.32342444e-6F);
    const V tail =
        hn::IfThenElseZero(hn::Lt(a, hn::Set(d, 5.9F)), exp_bounded(d, hn::Neg(hn::Mul(a, q))));
    const V sum = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(hn::Set(d, 2.0F), tail));
    return hn::Mul(hn::Mul(x, hn::Set(d, 0.5F)), sum);
  }
};
// x/2*(1 + tanh(u)) = x*sigmoid(2u), u = sqrt(2/pi)*(x + 0.044715*x^3): 2^-21 of |x|.
struct GeluTanhOf : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V cubic = hn::MulAdd(hn::Mul(x, x), hn::Set(d, 0.044715F), hn::Set(d, 1.0F));
    const V u = hn::Mul(hn::Mul(x, cubic), hn::Set(d, 1.59576912F));
    return hn::Mul(x, sigmoid(d, u));
  }
};

ElementFn find_unary_exp(const OpDef& op, DType type) {
  static constexpr ElementRow rows[] = {
      {&op::Exp, unary_f32<ExpOf>},           {&op::Log, unary_f32<LogOf>},
      {&op::Erf, unary_f32<ErfOf>},           {&op::Sin, unary_f32<SinOf>},
      {&op::Cos, unary_f32<CosOf>},           {&op::Tanh, unary_f32<TanhOf>},
      {&op::Sigmoid, unary_f32<SigmoidOf>},   {&op::Elu, unary_f32<EluOf>},
      {&op::Softplus, unary_f32<SoftplusOf>}, {&op::Mish, unary_f32<MishOf>},
      {&op::Gelu, unary_f32<GeluOf>},         {&op::Swish, unary_f32<SwishOf>},
  };
  return find_row(rows, op, type);
}

ElementFn find_gelu_tanh(const OpDef&, DType type) { return unary_f32<GeluTanhOf>(type); }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_unary_exp);
HWY_EXPORT(find_gelu_tanh);

Prepared prepare(const PrepareContext& ctx) {
  ElementAttrs attrs;
  if (ctx.op.find_attr("alpha")) attrs.a = static_cast<float>(ctx.f("alpha"));
  return prepare_same_type(ctx, HWY_DYNAMIC_DISPATCH(find_unary_exp), kCostlyGrain, attrs);
}

Prepared prepare_gelu(const PrepareContext& ctx) {
  if (ctx.s("approximate") != "tanh") return prepare(ctx);
  return prepare_same_type(ctx, HWY_DYNAMIC_DISPATCH(find_gelu_tanh), kCostlyGrain);
}

}  // namespace

constinit const KernelList unary_exp{
    {&op::Exp, "cpu.exp", prepare, Strides::any},
    {&op::Log, "cpu.log", prepare, Strides::any},
    {&op::Erf, "cpu.erf", prepare, Strides::any},
    {&op::Sin, "cpu.sin", prepare, Strides::any},
    {&op::Cos, "cpu.cos", prepare, Strides::any},
    {&op::Tanh, "cpu.tanh", prepare, Strides::any},
    {&op::Sigmoid, "cpu.sigmoid", prepare, Strides::any},
    {&op::Elu, "cpu.elu", prepare, Strides::any},
    {&op::Softplus, "cpu.softplus", prepare, Strides::any},
    {&op::Mish, "cpu.mish", prepare, Strides::any},
    {&op::Gelu, "cpu.gelu", prepare_gelu, Strides::any},
    {&op::Swish, "cpu.swish", prepare, Strides::any},
};

}  // namespace tenon::cpu
#endif
