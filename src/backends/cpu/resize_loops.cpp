// Resize's rows, once a target.
#include "backends/cpu/resize_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/resize_loops.cpp"
#include "backends/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

using D = Tag<float>;
using V = hn::Vec<D>;

void gather(const float* x, const int32_t* index, const float* weight, size_t taps, size_t n,
            float* y) {
  const D d;
  const hn::RebindToSigned<D> di;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    V sum = hn::Zero(d);
    for (size_t k = 0; k < taps; ++k)
      sum = hn::MulAdd(hn::LoadU(d, weight + k * n + i),
                       hn::GatherIndex(d, x, hn::LoadU(di, index + k * n + i)), sum);
    hn::StoreU(sum, d, y + i);
  }
  for (; i < n; ++i) {
    float sum = 0;
    for (size_t k = 0; k < taps; ++k) sum += weight[k * n + i] * x[index[k * n + i]];
    y[i] = sum;
  }
}

void blend(const float* const* rows, const float* weight, size_t count, size_t n, float* y) {
  const D d;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    V sum = hn::Zero(d);
    for (size_t k = 0; k < count; ++k)
      sum = hn::MulAdd(hn::Set(d, weight[k]), hn::LoadU(d, rows[k] + i), sum);
    hn::StoreU(sum, d, y + i);
  }
  for (; i < n; ++i) {
    float sum = 0;
    for (size_t k = 0; k < count; ++k) sum += weight[k] * rows[k][i];
    y[i] = sum;
  }
}

template <class T>
void from_bytes(const void* from, void* to, size_t n) {
  const auto* x = static_cast<const T*>(from);
  auto* y = static_cast<float*>(to);
  const D d;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<T, D> db;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d))
    hn::StoreU(hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(db, x + i))), d, y + i);
  for (; i < n; ++i) y[i] = static_cast<float>(x[i]);
}

template <class T>
void to_bytes(const void* from, void* to, size_t n) {
  const auto* x = static_cast<const float*>(from);
  auto* y = static_cast<T*>(to);
  const D d;
  const hn::Rebind<T, D> db;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d))
    hn::StoreU(hn::DemoteTo(db, hn::NearestInt(hn::LoadU(d, x + i))), db, y + i);
  if (i == n) return;
  HWY_ALIGN T lanes[hn::MaxLanes(D())];
  hn::StoreU(hn::DemoteTo(db, hn::NearestInt(load_part(d, x + i, n - i))), db, lanes);
  for (size_t k = 0; i < n; ++i, ++k) y[i] = lanes[k];
}

template <class T, int kFactor>
void repeat(const void* from, void* to, size_t n) {
  const auto* x = static_cast<const T*>(from);
  auto* y = static_cast<T*>(to);
  const Tag<T> d;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    const auto v = hn::LoadU(d, x + i);
    if constexpr (kFactor == 2) hn::StoreInterleaved2(v, v, d, y + i * kFactor);
    if constexpr (kFactor == 3) hn::StoreInterleaved3(v, v, v, d, y + i * kFactor);
    if constexpr (kFactor == 4) hn::StoreInterleaved4(v, v, v, v, d, y + i * kFactor);
  }
  for (; i < n; ++i)
    for (int k = 0; k < kFactor; ++k) y[i * kFactor + static_cast<size_t>(k)] = x[i];
}

ResizeLoops find_resize_loops() {
  return {gather,          blend, from_bytes<uint8_t>, from_bytes<int8_t>, to_bytes<uint8_t>,
          to_bytes<int8_t>};
}

template <class T>
RepeatFn repeat_of(int64_t factor) {
  if (factor == 2) return repeat<T, 2>;
  if (factor == 3) return repeat<T, 3>;
  return factor == 4 ? repeat<T, 4> : nullptr;
}

RepeatFn find_repeat_loop(size_t element_size, int64_t factor) {
  if (element_size == 1) return repeat_of<uint8_t>(factor);
  if (element_size == 2) return repeat_of<uint16_t>(factor);
  return element_size == 4 ? repeat_of<uint32_t>(factor) : nullptr;
}

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

HWY_EXPORT(find_resize_loops);
HWY_EXPORT(find_repeat_loop);

const ResizeLoops& resize_loops() {
  static const ResizeLoops loops = HWY_DYNAMIC_DISPATCH(find_resize_loops)();
  return loops;
}

RepeatFn repeat_loop(size_t element_size, int64_t factor) {
  return HWY_DYNAMIC_DISPATCH(find_repeat_loop)(element_size, factor);
}

}  // namespace tenon::cpu
#endif
