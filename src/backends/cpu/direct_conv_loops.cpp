// Direct convolutions on vectors of output maps, or of what a window holds.
#include "backends/cpu/direct_conv_loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/direct_conv_loops.cpp"
#include "backends/cpu/simd.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

using Wide = hn::CappedTag<float, kDirectLanes>;
using V = hn::Vec<Wide>;

// Sums that fit the registers, and hide the latency of multiplying and adding: two units of four
// or five cycles.
constexpr size_t kSums = 12;
static_assert(direct_pixels(1, kSums) == kSums && direct_pixels(3, kSums) == kSums / 3);

HWY_INLINE V clamped(Wide d, V v, const ConvClamp& how) {
  if (how.leaky) v = hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Mul(v, hn::Set(d, how.slope)), v);
  const V low = hn::Set(d, how.low), high = hn::Set(d, how.high);
  if (how.at_least) v = hn::IfThenElse(hn::Lt(v, low), low, v);
  if (how.at_most) v = hn::IfThenElse(hn::Gt(v, high), high, v);
  return v;
}

// From sums, [pixels][vectors * lanes], bias included.
HWY_NOINLINE void finish_many(const DirectTile& t, size_t width) {
  const Wide d;
  const size_t lanes = hn::Lanes(d);
  const float* sums = t.sums;
  for (size_t pixel = 0; pixel < t.pixels; ++pixel, sums += width) {
    const size_t at = pixel * t.pixel_step;
    const bool exact = pixel + t.exact >= t.pixels;
    for (size_t map = 0; map < t.maps; map += lanes) {
      const size_t left = t.maps - map;
      V v = hn::Load(d, sums + map);
      if (t.residual) {
        const float* from = t.residual + at + map;
        v = hn::Add(v, left < lanes ? load_part(d, from, left) : hn::LoadU(d, from));
      }
      v = clamped(d, v, t.clamp);
      if (left < lanes && exact)
        store_part(v, d, t.y + at + map, left);
      else
        hn::StoreU(v, d, t.y + at + map);
    }
  }
}

template <size_t kPixels>
HWY_INLINE void run_begins(const DirectTile& t, size_t run, const float* (&x)[kPixels]) {
  for (size_t i = 0; i < kPixels; ++i)
    x[i] = t.runs[run * t.list_step + i] + t.offset + static_cast<ptrdiff_t>(run) * t.run_step;
}

// Whole vectors, nothing to be added: what most tiles are.
template <size_t kPixels, size_t kVectors>
HWY_INLINE void store_whole(const DirectTile& t, V (&sums)[kPixels][kVectors]) {
  const Wide d;
  const size_t lanes = hn::Lanes(d);
  if (t.clamp.at_least) {
    const V low = hn::Set(d, t.clamp.low);
    for (size_t i = 0; i < kPixels; ++i)
      for (size_t j = 0; j < kVectors; ++j)
        sums[i][j] = hn::IfThenElse(hn::Lt(sums[i][j], low), low, sums[i][j]);
  }
  if (t.clamp.at_most) {
    const V high = hn::Set(d, t.clamp.high);
    for (size_t i = 0; i < kPixels; ++i)
      for (size_t j = 0; j < kVectors; ++j)
        sums[i][j] = hn::IfThenElse(hn::Gt(sums[i][j], high), high, sums[i][j]);
  }
  float* y = t.y;
  for (size_t i = 0; i < kPixels; ++i, y += t.pixel_step)
    for (size_t j = 0; j < kVectors; ++j) hn::StoreU(sums[i][j], d, y + j * lanes);
}

template <size_t kPixels, size_t kVectors>
HWY_NOINLINE void many_maps_of(const DirectTile& t) {
  const Wide d;
  const size_t lanes = hn::Lanes(d);
  V sums[kPixels][kVectors];
  const float* from = t.begins ? t.bias : t.sums;
  const size_t from_step = t.begins ? 0 : kVectors * lanes;
  for (size_t i = 0; i < kPixels; ++i, from += from_step)
    for (size_t j = 0; j < kVectors; ++j) sums[i][j] = hn::Load(d, from + j * lanes);
  const float* HWY_RESTRICT weights = t.weights;
  for (size_t r = 0; r < t.run_count; ++r) {
    const float* x[kPixels];
    run_begins(t, r, x);
    for (size_t k = 0; k < t.depth; ++k, weights += kVectors * lanes) {
      V w[kVectors];
      for (size_t j = 0; j < kVectors; ++j) w[j] = hn::Load(d, weights + j * lanes);
      for (size_t i = 0; i < kPixels; ++i) {
        const V pixel = hn::Set(d, x[i][k]);
        for (size_t j = 0; j < kVectors; ++j) sums[i][j] = hn::MulAdd(pixel, w[j], sums[i][j]);
      }
    }
  }
  if (t.ends && !t.residual && !t.clamp.leaky && t.maps == kVectors * lanes) {
    store_whole(t, sums);
    return;
  }
  for (size_t i = 0; i < kPixels; ++i)
    for (size_t j = 0; j < kVectors; ++j)
      hn::Store(sums[i][j], d, t.sums + (i * kVectors + j) * lanes);
  if (t.ends) finish_many(t, kVectors * lanes);
}

template <size_t kVectors>
HWY_INLINE void many_maps_of_vectors(const DirectTile& t) {
  constexpr size_t most = kSums / kVectors;
  switch (t.pixels) {
    case most: return many_maps_of<most, kVectors>(t);
    case kVectors == 1 ? 8: 3 : return many_maps_of < kVectors == 1 ? 8 : 3, kVectors > (t);
    case 2: return many_maps_of<2, kVectors>(t);
    default: many_maps_of<1, kVectors>(t);
  }
}

void many_maps(const DirectTile& t, size_t vectors) {
  static_assert(kDirectVectors == 3);
  if (vectors == 1) return many_maps_of_vectors<1>(t);
  if (vectors == 2) return many_maps_of_vectors<2>(t);
  many_maps_of_vectors<3>(t);
}

template <size_t kPixels, size_t kMaps>
HWY_NOINLINE void few_maps_of(const DirectTile& t) {
  const Wide d;
  const size_t lanes = hn::Lanes(d);
  V sums[kPixels][kMaps];
  for (size_t i = 0; i < kPixels; ++i)
    for (size_t j = 0; j < kMaps; ++j) sums[i][j] = hn::Zero(d);
  const float* HWY_RESTRICT weights = t.weights;
  const size_t map_step = t.run_count * t.depth;
  for (size_t r = 0; r < t.run_count; ++r, weights += t.depth) {
    const float* x[kPixels];
    run_begins(t, r, x);
    size_t k = 0;
    for (; k + lanes <= t.depth; k += lanes) {
      V w[kMaps];
      for (size_t j = 0; j < kMaps; ++j) w[j] = hn::LoadU(d, weights + j * map_step + k);
      for (size_t i = 0; i < kPixels; ++i) {
        const V part = hn::LoadU(d, x[i] + k);
        for (size_t j = 0; j < kMaps; ++j) sums[i][j] = hn::MulAdd(part, w[j], sums[i][j]);
      }
    }
    if (k == t.depth) continue;
    const size_t left = t.depth - k;
    V w[kMaps];
    for (size_t j = 0; j < kMaps; ++j) w[j] = load_part(d, weights + j * map_step + k, left);
    for (size_t i = 0; i < kPixels; ++i) {
      const V part = load_part(d, x[i] + k, left);
      for (size_t j = 0; j < kMaps; ++j) sums[i][j] = hn::MulAdd(part, w[j], sums[i][j]);
    }
  }
  float all[kPixels * kMaps];
  for (size_t i = 0; i < kPixels; ++i)
    for (size_t j = 0; j < kMaps; ++j)
      all[i * kMaps + j] = hn::GetLane(hn::SumOfLanes(d, sums[i][j]));
  for (size_t i = 0; i < kPixels; ++i)
    for (size_t j = 0; j < kMaps; ++j) {
      const size_t at = i * t.pixel_step + j * t.map_step;
      float v = all[i * kMaps + j] + t.bias[j];
      if (t.residual) v += t.residual[at];
      t.y[at] = t.clamp(v);
    }
}

template <size_t kMaps>
HWY_INLINE void few_maps_of_maps(const DirectTile& t) {
  constexpr size_t most = kSums / kMaps;
  if (t.pixels == most)
    few_maps_of<most, kMaps>(t);
  else
    few_maps_of<1, kMaps>(t);
}

void few_maps(const DirectTile& t) {
  static_assert(kDirectFewMaps == 4);
  if (t.maps == 1) return few_maps_of_maps<1>(t);
  if (t.maps == 2) return few_maps_of_maps<2>(t);
  if (t.maps == 3) return few_maps_of_maps<3>(t);
  few_maps_of_maps<4>(t);
}

DirectLoops find_direct_loops() { return {hn::Lanes(Wide()), many_maps, few_maps}; }

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {
HWY_EXPORT(find_direct_loops);
}  // namespace

DirectLoops direct_loops() { return HWY_DYNAMIC_DISPATCH(find_direct_loops)(); }

}  // namespace tenon::cpu
#endif
