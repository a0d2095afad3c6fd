// Conversions between f32 and the 16-bit floats, and streaming copies.
#include "backends/cpu/rows.h"

#include <unistd.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/rows.cpp"
#include <hwy/cache_control.h>
#include "backends/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {

// F16C converts binary16 in hardware; elsewhere half.h's integer arithmetic does, in plain loops.
void f16_to_f32(const void* from, void* to, size_t count) {
  const f16* x = static_cast<const f16*>(from);
  float* y = static_cast<float*>(to);
  size_t i = 0;
#if HWY_TARGET <= HWY_AVX2
  const Tag<float> d;
  const hn::Rebind<hwy::float16_t, Tag<float>> dh;
  const auto* bits = reinterpret_cast<const hwy::float16_t*>(x);
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
    hn::StoreU(hn::PromoteTo(d, hn::LoadU(dh, bits + i)), d, y + i);
#endif
  for (; i < count; ++i) y[i] = static_cast<float>(x[i]);
}

void f32_to_f16(const void* from, void* to, size_t count) {
  const float* x = static_cast<const float*>(from);
  f16* y = static_cast<f16*>(to);
  size_t i = 0;
#if HWY_TARGET <= HWY_AVX2
  const Tag<float> d;
  const hn::Rebind<hwy::float16_t, Tag<float>> dh;
  auto* bits = reinterpret_cast<hwy::float16_t*>(y);
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
    hn::StoreU(hn::DemoteTo(dh, hn::LoadU(d, x + i)), dh, bits + i);
#endif
  for (; i < count; ++i) y[i] = f16(x[i]);
}

void bf16_to_f32(const void* from, void* to, size_t count) {
  const bf16* x = static_cast<const bf16*>(from);
  float* y = static_cast<float*>(to);
  const Tag<uint32_t> d;
  const hn::Rebind<uint16_t, Tag<uint32_t>> dh;
  const auto* bits = reinterpret_cast<const uint16_t*>(x);
  auto* wide = reinterpret_cast<uint32_t*>(y);
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d))
    hn::StoreU(hn::ShiftLeft<16>(hn::PromoteTo(d, hn::LoadU(dh, bits + i))), d, wide + i);
  for (; i < count; ++i) y[i] = static_cast<float>(x[i]);
}

void f32_to_bf16(const void* from, void* to, size_t count) {
  const float* x = static_cast<const float*>(from);
  bf16* y = static_cast<bf16*>(to);
  const Tag<uint32_t> d;
  const Tag<int32_t> di;
  const hn::Rebind<uint16_t, Tag<int32_t>> dh;
  const auto* wide = reinterpret_cast<const uint32_t*>(x);
  auto* bits = reinterpret_cast<uint16_t*>(y);
  const auto one = hn::Set(d, uint32_t{1});
  size_t i = 0;
  for (; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
    const auto u = hn::LoadU(d, wide + i);
    const auto top = hn::ShiftRight<16>(u);
    const auto rounded =
        hn::ShiftRight<16>(hn::Add(u, hn::Add(hn::Set(d, uint32_t{0x7fff}), hn::And(top, one))));
    const auto magnitude = hn::And(u, hn::Set(d, uint32_t{0x7fffffff}));
    const auto nan = hn::Gt(hn::BitCast(di, magnitude), hn::Set(di, int32_t{0x7f800000}));
    const auto quiet = hn::Or(top, hn::Set(d, uint32_t{0x40}));
    const auto result = hn::IfThenElse(nan, hn::BitCast(di, quiet), hn::BitCast(di, rounded));
    hn::StoreU(hn::DemoteTo(dh, result), dh, bits + i);
  }
  for (; i < count; ++i) y[i] = bf16(x[i]);
}

ConvertFn find_half_conversion(DType from, DType to) {
  if (from == DType::f16 && to == DType::f32) return f16_to_f32;
  if (from == DType::f32 && to == DType::f16) return f32_to_f16;
  if (from == DType::bf16 && to == DType::f32) return bf16_to_f32;
  if (from == DType::f32 && to == DType::bf16) return f32_to_bf16;
  return nullptr;
}

void stream_bytes(void* to, const void* from, size_t bytes) {
  const Tag<uint8_t> d;
  const size_t width = hn::Lanes(d);
  auto* y = static_cast<uint8_t*>(to);
  const auto* x = static_cast<const uint8_t*>(from);
  const size_t past = reinterpret_cast<uintptr_t>(y) % width;
  size_t i = past == 0 ? 0 : HWY_MIN(width - past, bytes);
  std::memcpy(y, x, i);
  for (; i + width <= bytes; i += width) hn::Stream(hn::LoadU(d, x + i), d, y + i);
  std::memcpy(y + i, x + i, bytes - i);
}

StreamFn find_stream_copy() { return stream_bytes; }

}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

HWY_EXPORT(find_half_conversion);
HWY_EXPORT(find_stream_copy);

ConvertFn half_conversion(DType from, DType to) {
  return HWY_DYNAMIC_DISPATCH(find_half_conversion)(from, to);
}

StreamFn stream_copy() { return HWY_DYNAMIC_DISPATCH(find_stream_copy)(); }

void finish_streaming() { hwy::FlushStream(); }

size_t stream_threshold() {
  long bytes = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
  bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
  return bytes > 0 ? static_cast<size_t>(bytes) : size_t{32} << 20;
}

}  // namespace tenon::cpu
#endif
