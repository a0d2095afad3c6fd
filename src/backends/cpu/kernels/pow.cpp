// Pow for f32: |x|^y = 2^(y*log2|x|), computed in double, so the result is the nearest float but
// for rare ties: 1 ULP.
#include <limits>

#include "backends/cpu/elementwise.h"
#include "backends/cpu/kernels/catalog.h"
#include "ops/catalog.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/pow.cpp"
#include "backends/cpu/element_loops_inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

using D64 = Tag<double>;
using DU = Tag<uint64_t>;
using D32 = hn::Rebind<float, D64>;  // as many floats as D64 has doubles
using V64 = hn::Vec<D64>;
using V32 = hn::Vec<D32>;

// 2^52: a double in [2^52, 2^53) has an integer in its low bits.
constexpr double kMagic = 0x1p52;
constexpr uint64_t kMagicBits = 0x4330000000000000;
constexpr uint64_t kSqrtHalfBits = 0x3fe6a09e667f3bcd;
constexpr uint64_t kOffset = 1024;  // keeps exponents positive while they are integers

// log2(a) for a finite a > 0: absolute error below 2^-44 near 1, relative elsewhere.
HWY_INLINE V64 log2_positive(V64 a) {
  const D64 d;
  const DU du;
  const auto bits = hn::BitCast(du, a);
  // The exponent that brings the mantissa to [sqrt(1/2), sqrt(2)).
  const auto shifted =
      hn::Add(hn::Sub(bits, hn::Set(du, kSqrtHalfBits)), hn::Set(du, kOffset << 52));
  const auto exponent = hn::ShiftRight<52>(shifted);  // kOffset more than the true one
  const V64 e = hn::Sub(hn::BitCast(d, hn::Or(exponent, hn::Set(du, kMagicBits))),
                        hn::Set(d, kMagic + kOffset));
  const V64 m = hn::BitCast(
      d, hn::Add(hn::Sub(bits, hn::ShiftLeft<52>(exponent)), hn::Set(du, kOffset << 52)));
  const V64 one = hn::Set(d, 1.0);
  const V64 s = hn::Div(hn::Sub(m, one), hn::Add(m, one));
  const V64 t = hn::Mul(s, s);
  V64 p = hn::Set(d, 0.282942553032015252);
  p = hn::MulAdd(p, t, hn::Set(d, 0.319902885716345374));
  p = hn::MulAdd(p, t, hn::Set(d, 0.41220931682945947));
  p = hn::MulAdd(p, t, hn::Set(d, 0.577077941770952752));
  p = hn::MulAdd(p, t, hn::Set(d, 0.961796694115219988));
  p = hn::MulAdd(p, t, hn::Set(d, 2.88539008177784907));
  return hn::MulAdd(s, p, e);
}

// 2^z for z in [-200, 200]: relative error 2^-34.
HWY_INLINE V64 exp2_bounded(V64 z) {
  const D64 d;
  const DU du;
  const V64 n = hn::Round(z);
  const V64 f = hn::Sub(z, n);
  V64 p = hn::Set(d, 1.52019218122205381e-5);
  p = hn::MulAdd(p, f, hn::Set(d, 1.54692911454514469e-4));
  p = hn::MulAdd(p, f, hn::Set(d, 1.33339225626222706e-3));
  p = hn::MulAdd(p, f, hn::Set(d, 9.61802725366491214e-3));
  p = hn::MulAdd(p, f, hn::Set(d, 5.55041035344905773e-2));
  p = hn::MulAdd(p, f, hn::Set(d, 0.240226511981574634));
  p = hn::MulAdd(p, f, hn::Set(d, 0.693147180728446747));
  p = hn::MulAdd(p, f, hn::Set(d, 0.999999999961681953));
  const auto biased = hn::BitCast(du, hn::Add(n, hn::Set(d, kMagic + 1023)));
  return hn::Mul(p, hn::BitCast(d, hn::ShiftLeft<52>(biased)));
}

// As C's pow, special cases included (C17, F.10.4.4).
HWY_INLINE V32 pow_vector(V32 x32, V32 y32) {
  const D64 d;
  const D32 df;
  const V64 x = hn::PromoteTo(d, x32);
  const V64 y = hn::PromoteTo(d, y32);
  const V64 zero = hn::Zero(d);
  const V64 one = hn::Set(d, 1.0);
  const V64 infinity = hn::Set(d, std::numeric_limits<double>::infinity());
  const V64 nan = hn::Set(d, std::numeric_limits<double>::quiet_NaN());
  const V64 a = hn::Abs(x);
  V64 l = log2_positive(a);
  l = hn::IfThenElse(hn::Eq(a, zero), hn::Neg(infinity), l);
  l = hn::IfThenElse(hn::Lt(a, infinity), l, a);  // infinity and NaN
  V64 z = hn::IfThenElse(hn::Eq(a, one), zero, hn::Mul(y, l));
  const V64 bound = hn::Set(d, 200.0);
  z = hn::IfThenElse(hn::Gt(z, bound), bound, z);
  z = hn::IfThenElse(hn::Lt(z, hn::Neg(bound)), hn::Neg(bound), z);
  V64 r = exp2_bounded(z);
  const auto negative = hn::Lt(x, zero);
  const auto fraction = hn::Ne(hn::Round(y), y);
  const auto even = hn::Eq(hn::Mul(hn::Floor(hn::Mul(y, hn::Set(d, 0.5))), hn::Set(d, 2.0)), y);
  const auto ordinary = hn::And(hn::Gt(a, zero), hn::Lt(a, infinity));
  // The sign bit, so that -0 counts.
  const auto odd = hn::AndNot(hn::Or(fraction, even), hn::Eq(y, y));
  r = hn::IfThenElse(odd, hn::CopySign(r, x), r);
  r = hn::IfThenElse(hn::And(hn::And(negative, fraction), ordinary), nan, r);
  r = hn::IfThenElse(hn::IsNaN(y), nan, r);
  r = hn::IfThenElse(hn::Or(hn::Eq(y, zero), hn::Eq(x, one)), one, r);
  return hn::DemoteTo(df, r);
}

template <bool kScalarX, bool kScalarY>
void pow_case(const float* x, const float* y, float* out, size_t n) {
  const D32 d;
  const size_t lanes = hn::Lanes(d);
  const V32 all_x = hn::Set(d, *x);
  const V32 all_y = hn::Set(d, *y);
  for (size_t i = 0; i < n; i += lanes) {
    V32 vx = all_x;
    V32 vy = all_y;
    if (i + lanes <= n) {
      if constexpr (!kScalarX) vx = hn::LoadU(d, x + i);
      if constexpr (!kScalarY) vy = hn::LoadU(d, y + i);
      hn::StoreU(pow_vector(vx, vy), d, out + i);
    } else {
      if constexpr (!kScalarX) vx = load_part(d, x + i, n - i);
      if constexpr (!kScalarY) vy = load_part(d, y + i, n - i);
      store_part(pow_vector(vx, vy), d, out + i, n - i);
    }
  }
}

struct Square : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Mul(x, x);
  }
};
struct Cube : NoAttrs {
  using NoAttrs::NoAttrs;
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Mul(hn::Mul(x, x), x);
  }
};

void pow_loop(const void* const* in, void* out, size_t n, unsigned scalars,
              const ElementAttrs& attrs) {
  const float* x = static_cast<const float*>(in[0]);
  const float* y = static_cast<const float*>(in[1]);
  float* to = static_cast<float*>(out);
  if (scalars == 0) {
    pow_case<false, false>(x, y, to, n);
  } else if (scalars == 1) {
    pow_case<true, false>(x, y, to, n);
  } else if (*y == 2.0F) {
    unary_loop<Square, float>(in, out, n, 0, attrs);
  } else if (*y == 3.0F) {
    unary_loop<Cube, float>(in, out, n, 0, attrs);
  } else {
    pow_case<false, true>(x, y, to, n);
  }
}

ElementFn find_pow(const OpDef&, DType type) { return type == DType::f32 ? pow_loop : nullptr; }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {

HWY_EXPORT(find_pow);

Prepared prepare(const PrepareContext& ctx) {
  const FindLoop find = HWY_DYNAMIC_DISPATCH(find_pow);
  if (ctx.inputs[1].dtype != ctx.inputs[0].dtype)
    return refuse(fmt::format("only an exponent of the base's type; X is {}, Y is {}",
                              name(ctx.inputs[0].dtype), name(ctx.inputs[1].dtype)));
  return prepare_same_type(ctx, find, kCostlyGrain);
}

}  // namespace

constinit const KernelList pow{{&op::Pow, "cpu.pow", prepare, Strides::any}};

}  // namespace tenon::cpu
#endif
