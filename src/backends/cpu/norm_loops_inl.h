// Normalising one row of f32: what LayerNormalization and RMSNormalization share. Included through
// simd.h's scheme, once a target.
#ifndef TENON_CPU_MOMENTS
#define TENON_CPU_MOMENTS
namespace tenon::cpu {

struct Moments {
  float mean;
  float inv_std;
};

}  // namespace tenon::cpu
#endif

#include "backends/cpu/row_loops_inl.h"

#if defined(TENON_CPU_NORM_LOOPS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TENON_CPU_NORM_LOOPS_INL_H
#undef TENON_CPU_NORM_LOOPS_INL_H
#else
#define TENON_CPU_NORM_LOOPS_INL_H
#endif

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {

struct CentredSquare {
  V mean;
  HWY_INLINE V operator()(V x, V) const {
    const V centred = hn::Sub(x, mean);
    return hn::Mul(centred, centred);
  }
};

// Of n elements; the mean counts as 0 where it is not to be taken off (root mean square).
HWY_INLINE Moments moments(const float* x, size_t n, double epsilon, bool centred = true) {
  const auto count = static_cast<double>(n);
  const auto mean =
      centred ? static_cast<float>(row_sum<false>(x, x, nullptr, n, First{}) / count) : 0.0F;
  const CentredSquare square{hn::Set(D(), mean)};
  const double variance = row_sum<false>(x, x, nullptr, n, square) / count;
  return {mean, static_cast<float>(1 / std::sqrt(variance + epsilon))};
}

// out = (x - mean) * inv_std * scale + bias
template <bool kBias>
HWY_INLINE void normalize(const float* x, const float* scale, const float* bias, float* out,
                          size_t n, V mean, V inv_std) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const V normal = hn::Mul(hn::Sub(hn::LoadU(d, x + i), mean), inv_std);
    V y = hn::Mul(normal, hn::LoadU(d, scale + i));
    if constexpr (kBias) y = hn::Add(y, hn::LoadU(d, bias + i));
    hn::StoreU(y, d, out + i);
  }
  if (i == n) return;
  const size_t rest = n - i;
  const V normal = hn::Mul(hn::Sub(load_part(d, x + i, rest), mean), inv_std);
  V y = hn::Mul(normal, load_part(d, scale + i, rest));
  if constexpr (kBias) y = hn::Add(y, load_part(d, bias + i, rest));
  store_part(y, d, out + i, rest);
}

}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
