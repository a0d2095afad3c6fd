// Elementary functions of f32 vectors. Bounds are the largest errors found over the stated range
// against double (math_test.cpp measures them), in units in the last place (ULP) of the result.
// Polynomials without a source are minimax fits of relative error (Remez exchange, 160-bit).
// NaN gives NaN everywhere. Included through simd.h's scheme, once a target.
#include "backends/cpu/simd.h"

#if defined(TENON_CPU_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TENON_CPU_MATH_INL_H
#undef TENON_CPU_MATH_INL_H
#else
#define TENON_CPU_MATH_INL_H
#endif

#include <cmath>
#include <limits>

#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {

// c0 + x*(c1 + x*(c2 + ...)), by Horner's rule.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V polynomial(D d, V, float c0) {
  return hn::Set(d, c0);
}
template <class D, class V = hn::Vec<D>, class... More>
HWY_INLINE V polynomial(D d, V x, float c0, More... more) {
  return hn::MulAdd(polynomial(d, x, more...), x, hn::Set(d, c0));
}

// Like Min and Max with a constant, but NaN stays NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V at_most(D d, V x, float high) {
  return hn::IfThenElse(hn::Gt(x, hn::Set(d, high)), hn::Set(d, high), x);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V at_least(D d, V x, float low) {
  return hn::IfThenElse(hn::Lt(x, hn::Set(d, low)), hn::Set(d, low), x);
}

// x = n*ln(2) + r with |r| <= ln(2)/2: gives e^r - 1 from x and n. The two parts of ln(2) are Cody
// and Waite's (Software Manual for the Elementary Functions, 1980): n*high is exact without an FMA.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V expm1_of_rest(D d, V x, V n) {
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375F), x);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4F), r);
  const V p =
      polynomial(d, r, 0.499999934F, 0.166665206F, 0.041668388F, 8.36871688e-3F, 1.38145996e-3F);
  return hn::MulAdd(hn::Mul(r, r), p, r);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_reduced(D d, V x, V& n) {
  n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504F)));
  return expm1_of_rest(d, x, n);
}

// 2^n for integral n in [-126, 127].
template <class D, class V = hn::Vec<D>>
HWY_INLINE V power_of_two(D d, V n) {
  const hn::RebindToSigned<D> di;
  return hn::BitCast(d,
                     hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, int32_t{127}))));
}

// e^x for x in [-87.3, 88]: 1 ULP. Adding 1.5*2^23 rounds to an integer, which then stands in the
// low bits; shifted, it is added to the exponent.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_bounded(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V magic = hn::Set(d, 0x1.8p23F);
  const V shifted = hn::MulAdd(x, hn::Set(d, 1.44269504F), magic);
  const V e = hn::Add(hn::Set(d, 1.0F), expm1_of_rest(d, x, hn::Sub(shifted, magic)));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, e), hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
}

// e^x for x <= 0: 1 ULP above -87.3, 0 below. What softmax needs.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_nonpositive(D d, V x) {
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.3F)), exp_bounded(d, x));
}

// e^x for all x, subnormal results included: 1 ULP.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp(D d, V x) {
  const auto ordinary = hn::And(hn::Gt(x, hn::Set(d, -87.3F)), hn::Lt(x, hn::Set(d, 88.0F)));
  if (HWY_LIKELY(hn::AllTrue(d, ordinary))) return exp_bounded(d, x);
  x = at_least(d, at_most(d, x, 89.0F), -104.0F);
  V n;
  const V e = hn::Add(hn::Set(d, 1.0F), exp_reduced(d, x, n));
  const V half = hn::Floor(hn::Mul(n, hn::Set(d, 0.5F)));
  return hn::Mul(hn::Mul(e, power_of_two(d, half)), power_of_two(d, hn::Sub(n, half)));
}

// e^x - 1 for x <= 0: 2 ULP.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V expm1_nonpositive(D d, V x) {
  V n;
  const V r = exp_reduced(d, at_least(d, x, -87.0F), n);
  const V scale = power_of_two(d, n);
  return hn::MulAdd(scale, r, hn::Sub(scale, hn::Set(d, 1.0F)));
}

// Natural logarithm for all x: 1 ULP; -inf at 0, NaN below.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log(D d, V x) {
  const hn::RebindToSigned<D> di;
  const auto tiny = hn::Lt(x, hn::Set(d, std::numeric_limits<float>::min()));
  const V scaled = hn::IfThenElse(tiny, hn::Mul(x, hn::Set(d, 0x1p25F)), x);
  const auto bits = hn::BitCast(di, scaled);
  // The exponent that brings the mantissa to [sqrt(1/2), sqrt(2)).
  const auto exponent = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, int32_t{0x3f3504f3})));
  const V f = hn::Sub(hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(exponent))), hn::Set(d, 1.0F));
  const V e = hn::Sub(hn::ConvertTo(d, exponent), hn::IfThenElseZero(tiny, hn::Set(d, 25.0F)));
  const V square = hn::Mul(f, f);
  // log(1+f) = f - f^2/2 + f^3*p(f)
  const V p = polynomial(d, f, 0.333333126F, -0.250000096F, 0.200021187F, -0.166679959F,
                         0.142195525F, -0.124055883F, 0.118881606F, -0.116756551F, 0.0674664838F);
  V y = hn::Mul(hn::Mul(f, square), p);
  y = hn::MulAdd(e, hn::Set(d, -2.12194440e-4F), y);
  y = hn::NegMulAdd(hn::Set(d, 0.5F), square, y);
  y = hn::MulAdd(e, hn::Set(d, 0.693359375F), hn::Add(f, y));
  const V zero = hn::Zero(d);
  const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  const V nan = hn::Set(d, std::numeric_limits<float>::quiet_NaN());
  const V special =
      hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity), hn::IfThenElse(hn::Lt(x, zero), nan, x));
  return hn::IfThenElse(hn::And(hn::Gt(x, zero), hn::Lt(x, infinity)), y, special);
}

// log(1 + t) for t in [0, 1]: 3 ULP. The rounding error of 1+t is added back to first order.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log1p_unit(D d, V t) {
  const V u = hn::Add(hn::Set(d, 1.0F), t);
  const V lost = hn::Sub(t, hn::Sub(u, hn::Set(d, 1.0F)));
  return hn::Add(log(d, u), hn::Div(lost, u));
}

// Hyperbolic tangent for all x: 2 ULP.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V tanh(D d, V x) {
  const V a = hn::Abs(x);
  const V square = hn::Mul(x, x);
  const V p = polynomial(d, square, -0.333333308F, 0.13333206F, -0.0539467631F, 0.0217007033F,
                         -8.17739835e-3F, 2.14296192e-3F);
  const V small = hn::MulAdd(hn::Mul(x, square), p, x);
  // 1 - 2/(e^2a + 1); 1 after rounding from 2a = 19 on.
  const V e = exp_bounded(d, at_most(d, hn::Add(a, a), 40.0F));
  const V one = hn::Set(d, 1.0F);
  const V large = hn::Sub(one, hn::Div(hn::Set(d, 2.0F), hn::Add(e, one)));
  return hn::IfThenElse(hn::Lt(a, hn::Set(d, 0.625F)), small, hn::CopySign(large, x));
}

// 1/(1 + e^-x): 3 ULP from -87 on; below, 0 to 1.7e-38.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0F);
  const V e = exp_bounded(d, at_least(d, at_most(d, hn::Neg(x), 88.0F), -87.0F));
  return hn::Div(one, hn::Add(one, e));
}

// erfc(a) = e^(-a*q(a)) for a >= 0.92: relative error 2^-20 up to a = 3, absolute 2^-25 throughout.
// The form is that of N. Juffa's erff (forums.developer.nvidia.com, 2016); the fit is ours.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V erfc_large(D d, V a) {
  a = at_most(d, a, 9.0F);
  const V q = polynomial(d, a, 1.12864956F, 0.635146955F, 0.106244095F, -0.0237682833F,
                         3.64540151e-3F, -3.2352786e-4F, 1.13036697e-5F);
  return exp_bounded(d, at_least(d, hn::Neg(hn::Mul(a, q)), -87.0F));
}

// erf(x) for |x| <= 0.921875.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V erf_small(D d, V x) {
  const V p = polynomial(d, hn::Mul(x, x), 0.128379167F, -0.376126337F, 0.112836955F,
                         -0.0268593983F, 5.20103229e-3F, -8.14270436e-4F, 8.37010085e-5F);
  return hn::MulAdd(x, p, x);
}

// The error function for all x: 2 ULP.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V erf(D d, V x) {
  const V a = hn::Abs(x);
  const V large = hn::Sub(hn::Set(d, 1.0F), erfc_large(d, a));
  return hn::IfThenElse(hn::Le(a, hn::Set(d, 0.921875F)), erf_small(d, x), hn::CopySign(large, x));
}

// Sine and cosine: 3 ULP or 2^-24 absolute near the zeros. Highway's up to |x| = 39000, the C
// library lane by lane beyond.
template <class D>
HWY_INLINE bool within_sine_range(D d, hn::Vec<D> x) {
  return hn::AllTrue(d, hn::Le(hn::Abs(x), hn::Set(d, 39000.0F)));
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V sin(D d, V x) {
  if (HWY_LIKELY(within_sine_range(d, x))) return hn::Sin(d, x);
  HWY_ALIGN float lanes[hn::MaxLanes(D())];
  hn::Store(x, d, lanes);
  for (size_t i = 0; i < hn::Lanes(d); ++i) lanes[i] = std::sin(lanes[i]);
  return hn::Load(d, lanes);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V cos(D d, V x) {
  if (HWY_LIKELY(within_sine_range(d, x))) return hn::Cos(d, x);
  HWY_ALIGN float lanes[hn::MaxLanes(D())];
  hn::Store(x, d, lanes);
  for (size_t i = 0; i < hn::Lanes(d); ++i) lanes[i] = std::cos(lanes[i]);
  return hn::Load(d, lanes);
}

}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
