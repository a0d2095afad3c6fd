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

// The largest element; NaN where there is one.
HWY_INLINE float row_max(const float* x, size_t n) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  V a = hn::Set(d, x[0]);
  V b = a;
  V nan = a;  // NaN in lanes where any element was
  size_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const V v = hn::LoadU(d, x + i), w = hn::LoadU(d, x + i + lanes);
    a = hn::Max(v, a);
    b = hn::Max(w, b);
    nan = hn::IfThenElse(hn::IsNaN(v), v, hn::IfThenElse(hn::IsNaN(w), w, nan));
  }
  for (; i < n; i += lanes) {
    const V v = i + lanes <= n ? hn::LoadU(d, x + i)
                               : hn::IfThenElse(hn::FirstN(d, n - i), load_part(d, x + i, n - i), a);
    a = hn::Max(v, a);
    nan = hn::IfThenElse(hn::IsNaN(v), v, nan);
  }
  if (!hn::AllFalse(d, hn::IsNaN(nan))) return std::numeric_limits<float>::quiet_NaN();
  return hn::GetLane(hn::MaxOfLanes(d, hn::Max(a, b)));
}

// out[i] = term(x[i], y[i]) where kStore, and the sum of the terms; runs of 4096 are added in double.
template <bool kStore, class Term>
HWY_INLINE double row_sum(const float* x, const float* y, float* out, size_t n, const Term& term) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  double total = 0;
  for (size_t begin = 0; begin < n; begin += 4096) {
    const size_t end = HWY_MIN(n, begin + 4096);
    V a = hn::Zero(d);
    V b = a;
    size_t i = begin;
    for (; i + 2 * lanes <= end; i += 2 * lanes) {
      const V v = term(hn::LoadU(d, x + i), hn::LoadU(d, y + i));
      const V w = term(hn::LoadU(d, x + i + lanes), hn::LoadU(d, y + i + lanes));
      if constexpr (kStore) {
        hn::StoreU(v, d, out + i);
        hn::StoreU(w, d, out + i + lanes);
      }
      a = hn::Add(a, v);
      b = hn::Add(b, w);
    }
    for (; i < end; i += lanes) {
      const size_t rest = end - i;
      const V v = term(load_some(x + i, rest), load_some(y + i, rest));
      if constexpr (kStore) store_some(v, out + i, rest);
      a = hn::Add(a, rest < lanes ? hn::IfThenElseZero(hn::FirstN(d, rest), v) : v);
    }
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b))));
  }
  return total;
}

template <class Map>
HWY_INLINE void row_map(const float* x, const float* y, float* out, size_t n, const Map& map) {
  const size_t lanes = hn::Lanes(D());
  for (size_t i = 0; i < n; i += lanes)
    store_some(map(load_some(x + i, n - i), load_some(y + i, n - i)), out + i, n - i);
}

struct ExpOfDifference {
  V max;
  HWY_INLINE V operator()(V x, V) const { return exp_nonpositive(D(), hn::Sub(x, max)); }
};
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
