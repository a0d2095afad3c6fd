// The SIMD preamble: Google Highway, compiled once a target (SSE4, AVX2, AVX-512; NEON and SVE on
// Arm), the best one chosen when the program runs. A source that uses it begins and is laid out so:
//
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "backends/cpu/kernels/scale.cpp"
//   #include "backends/cpu/simd.h"
//
//   HWY_BEFORE_NAMESPACE();
//   namespace tenon::cpu::HWY_NAMESPACE {
//   void scale(float* x, size_t n) { ... }
//   }
//   HWY_AFTER_NAMESPACE();
//
//   #if HWY_ONCE
//   namespace tenon::cpu {
//   HWY_EXPORT(scale);   // HWY_DYNAMIC_DISPATCH(scale) is the best one's address: take it in
//   prepare
//   }
//   #endif
//
// Code between the two HWY_ macros uses functors, not lambdas: Clang does not give those the
// target. No include guard: it is included once a target.
#if defined(__x86_64__) && !defined(HWY_BASELINE_TARGETS)
// Every x86-64 processor since 2008 has SSE4, so no code is made for less.
#define HWY_BASELINE_TARGETS HWY_SSE4
#endif

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if defined(TENON_CPU_SIMD_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TENON_CPU_SIMD_H
#undef TENON_CPU_SIMD_H
#else
#define TENON_CPU_SIMD_H
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;

// The first n < Lanes(d) elements; the other lanes are 0.
template <class D, class T>
HWY_INLINE hn::Vec<D> load_part(D d, const T* from, size_t n) {
#if HWY_TARGET <= HWY_AVX3
  return hn::MaskedLoad(hn::FirstN(d, n), d, from);
#else
#if HWY_TARGET == HWY_AVX2 && !HWY_IS_MSAN
  if constexpr (sizeof(T) >= 4) return hn::MaskedLoad(hn::FirstN(d, n), d, from);
#endif
  HWY_ALIGN T lanes[hn::MaxLanes(D())] = {};
  for (size_t i = 0; i < n; ++i) lanes[i] = from[i];
  return hn::Load(d, lanes);
#endif
}

// Stores the first n < Lanes(d) lanes.
template <class D, class T>
HWY_INLINE void store_part(hn::Vec<D> v, D d, T* to, size_t n) {
#if HWY_TARGET <= HWY_AVX3
  hn::BlendedStore(v, hn::FirstN(d, n), d, to);
#else
  HWY_ALIGN T lanes[hn::MaxLanes(D())];
  hn::Store(v, d, lanes);
  for (size_t i = 0; i < n; ++i) to[i] = lanes[i];
#endif
}

}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
