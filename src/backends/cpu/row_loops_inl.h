// Passes over one row of f32 that normalisations share: its maximum, the sum of a function of its
// elements, and a function of each. Included through simd.h's scheme, once a target.
#include "backends/cpu/simd.h"

#if defined(TENON_CPU_ROW_LOOPS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TENON_CPU_ROW_LOOPS_INL_H
#undef TENON_CPU_ROW_LOOPS_INL_H
#else
#define TENON_CPU_ROW_LOOPS_INL_H
#endif

#include <limits>

#include "backends/cpu/math_inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {

using D = Tag<float>;
using V = hn::Vec<D>;

// Elements that are added in f32 before the sum goes into double.
constexpr size_t kRun = 1024;

// Terms of row_sum and row_map: functions of an element of x and the same element of y.
struct First {
  HWY_INLINE V operator()(V x, V) const { return x; }
};
struct Product {
  HWY_INLINE V operator()(V x, V y) const { return hn::Mul(x, y); }
};

HWY_INLINE V load_some(const float* from, size_t n) {
  const D d;
  return n >= hn::Lanes(d) ? hn::LoadU(d, from) : load_part(d, from, n);
}
HWY_INLINE void store_some(V v, float* to, size_t n) {
  const D d;
  if (n >= hn::Lanes(d))
    hn::StoreU(v, d, to);
  else
    store_part(v, d, to, n);
}

// All bits set where a or b is NaN.
HWY_INLINE V unordered(V a, V b) {
  const D d;
  return hn::VecFromMask(d, hn::Or(hn::IsNaN(a), hn::IsNaN(b)));
}

// The largest element; NaN where there is one.
HWY_INLINE float row_max(const float* x, size_t n) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  V a = hn::Set(d, x[0]);
  V b = a, c = a, e = a;
  V nan = hn::Zero(d);  // all bits set in lanes where a NaN was
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    const V v0 = hn::LoadU(d, x + i), v1 = hn::LoadU(d, x + i + lanes);
    const V v2 = hn::LoadU(d, x + i + 2 * lanes), v3 = hn::LoadU(d, x + i + 3 * lanes);
    a = hn::Max(v0, a);
    b = hn::Max(v1, b);
    c = hn::Max(v2, c);
    e = hn::Max(v3, e);
    nan = hn::Or(hn::Or(nan, unordered(v0, v1)), unordered(v2, v3));
  }
  for (; i < n; i += lanes) {
    const V v = i + lanes <= n
                    ? hn::LoadU(d, x + i)
                    : hn::IfThenElse(hn::FirstN(d, n - i), load_part(d, x + i, n - i), a);
    a = hn::Max(v, a);
    nan = hn::Or(nan, unordered(v, v));
  }
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::BitCast(du, nan);
  if (!hn::AllTrue(du, hn::Eq(bits, hn::Zero(du)))) return std::numeric_limits<float>::quiet_NaN();
  return hn::GetLane(hn::MaxOfLanes(d, hn::Max(hn::Max(a, b), hn::Max(c, e))));
}

// out[i] = term(x[i], y[i]) where kStore, and the sum of the terms; runs of 1024 are added in
// double.
template <bool kStore, class Term>
HWY_INLINE double row_sum(const float* x, const float* y, float* out, size_t n, const Term& term) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  double total = 0;
  for (size_t begin = 0; begin < n; begin += kRun) {
    const size_t end = HWY_MIN(n, begin + kRun);
    V a = hn::Zero(d);
    V b = a, c = a, e = a;
    size_t i = begin;
    for (; i + 4 * lanes <= end; i += 4 * lanes) {
      const size_t i1 = i + lanes, i2 = i1 + lanes, i3 = i2 + lanes;
      const V t0 = term(hn::LoadU(d, x + i), hn::LoadU(d, y + i));
      const V t1 = term(hn::LoadU(d, x + i1), hn::LoadU(d, y + i1));
      const V t2 = term(hn::LoadU(d, x + i2), hn::LoadU(d, y + i2));
      const V t3 = term(hn::LoadU(d, x + i3), hn::LoadU(d, y + i3));
      if constexpr (kStore) {
        hn::StoreU(t0, d, out + i);
        hn::StoreU(t1, d, out + i1);
        hn::StoreU(t2, d, out + i2);
        hn::StoreU(t3, d, out + i3);
      }
      a = hn::Add(a, t0);
      b = hn::Add(b, t1);
      c = hn::Add(c, t2);
      e = hn::Add(e, t3);
    }
    for (; i < end; i += lanes) {
      const size_t rest = end - i;
      const V t = term(load_some(x + i, rest), load_some(y + i, rest));
      if constexpr (kStore) store_some(t, out + i, rest);
      a = hn::Add(a, rest < lanes ? hn::IfThenElseZero(hn::FirstN(d, rest), t) : t);
    }
    const V all = hn::Add(hn::Add(a, b), hn::Add(c, e));
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, all)));
  }
  return total;
}

// out[i] = map(x[i], y[i])
template <class Map>
HWY_INLINE void row_map(const float* x, const float* y, float* out, size_t n, const Map& map) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(map(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, out + i);
  if (i < n)
    store_part(map(load_part(d, x + i, n - i), load_part(d, y + i, n - i)), d, out + i, n - i);
}

struct ExpOfDifference {
  V max;
  HWY_INLINE V operator()(V x, V) const { return exp_nonpositive(D(), hn::Sub(x, max)); }
};
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
