#include "backends/cpu/linear_loops.h"

#include <hwy/cache_control.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/linear_loops.cpp"
#include "backends/cpu/row_loops_inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenon::cpu::HWY_NAMESPACE {
namespace {

// A tile's sums, a row of the panel and one element of x fit the registers: 16, or 32.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4
constexpr size_t kPanelVectors = 2;
constexpr size_t kTileRows = 6;
#else
constexpr size_t kPanelVectors = 3;
constexpr size_t kTileRows = 8;
#endif

// Sums are single variables because vectors of some instruction sets have no arrays. Of a tile of
// fewer rows or vectors the others are never touched.
template <size_t kVectors>
HWY_INLINE void add_row(const float* x, V b0, V b1, V b2, V& s0, V& s1, V& s2) {
  const V all = hn::Set(D(), *x);
  s0 = hn::MulAdd(all, b0, s0);
  if constexpr (kVectors > 1) s1 = hn::MulAdd(all, b1, s1);
  if constexpr (kVectors > 2) s2 = hn::MulAdd(all, b2, s2);
}

// What is added to every row. All vectors of a tile but the last one are whole.
template <size_t kVectors>
HWY_INLINE void load_bias(const LinearTile& t, V& b0, V& b1, V& b2) {
  const D d;
  const size_t lanes = hn::Lanes(d), last = t.columns - (kVectors - 1) * lanes;
  b0 = b1 = b2 = hn::Zero(d);
  if (!t.bias) return;
  b0 = kVectors > 1 ? hn::LoadU(d, t.bias) : load_some(t.bias, last);
  if constexpr (kVectors == 2) b1 = load_some(t.bias + lanes, last);
  if constexpr (kVectors == 3) {
    b1 = hn::LoadU(d, t.bias + lanes);
    b2 = load_some(t.bias + 2 * lanes, last);
  }
}

template <bool kWhole>
HWY_INLINE void finish_vector(const float* add, float* y, V scale, V bias, V sum, size_t last) {
  const D d;
  V start = bias;
  if (add) start = hn::Add(start, kWhole ? hn::LoadU(d, add) : load_some(add, last));
  const V result = hn::MulAdd(scale, sum, start);
  if constexpr (kWhole)
    hn::StoreU(result, d, y);
  else
    store_some(result, y, last);
}

template <size_t kVectors>
HWY_INLINE void finish_row(const LinearTile& t, size_t row, V b0, V b1, V b2, V s0, V s1, V s2) {
  const size_t lanes = hn::Lanes(D()), last = t.columns - (kVectors - 1) * lanes;
  const V scale = hn::Set(D(), t.scale);
  const float* add = t.add ? t.add + row * t.add_stride : nullptr;
  const float* add1 = add ? add + lanes : nullptr;
  const float* add2 = add ? add + 2 * lanes : nullptr;
  float* y = t.y + row * t.y_stride;
  finish_vector<(kVectors > 1)>(add, y, scale, b0, s0, last);
  if constexpr (kVectors > 1) finish_vector<(kVectors > 2)>(add1, y + lanes, scale, b1, s1, last);
  if constexpr (kVectors > 2) finish_vector<false>(add2, y + 2 * lanes, scale, b2, s2, last);
}

HWY_INLINE V vector_at(const float* from, size_t i) {
  const D d;
  return hn::LoadU(d, from + i * hn::Lanes(d));
}

// Lines that are fetched each kFetchDepth rows of the panel: they are as many as two panels have
// there, so that tiles of a quarter of a part's rows fetch all of the next part.
constexpr size_t kLine = 64;
constexpr size_t kFetchDepth = 8;
constexpr size_t kFetchLines = HWY_TARGET == HWY_SSE4 ? 1 : HWY_TARGET == HWY_AVX2 ? 2 : 6;

HWY_INLINE void fetch(const std::byte*& next, const std::byte* end) {
  for (size_t i = 0; i < kFetchLines && next < end; ++i, next += kLine) hwy::Prefetch(next);
}

// One row: four times as many sums hide the latency of their additions.
template <size_t kVectors>
HWY_INLINE void one_row(const LinearTile& t) {
  const D d;
  const size_t width = kVectors * hn::Lanes(d);
  const float *x = t.x, *b = t.panel;
  V p0 = hn::Zero(d), p1 = p0, p2 = p0, q0 = p0, q1 = p0, q2 = p0;
  V r0 = p0, r1 = p0, r2 = p0, s0 = p0, s1 = p0, s2 = p0;
  constexpr size_t k1 = kVectors > 1 ? 1 : 0, k2 = kVectors > 2 ? 2 : 0;
  size_t k = 0;
  for (; k + 4 <= t.k; k += 4, x += 4, b += 4 * width) {
    const float *b1 = b + width, *b2 = b1 + width, *b3 = b2 + width;
    add_row<kVectors>(x, vector_at(b, 0), vector_at(b, k1), vector_at(b, k2), p0, p1, p2);
    add_row<kVectors>(x + 1, vector_at(b1, 0), vector_at(b1, k1), vector_at(b1, k2), q0, q1, q2);
    add_row<kVectors>(x + 2, vector_at(b2, 0), vector_at(b2, k1), vector_at(b2, k2), r0, r1, r2);
    add_row<kVectors>(x + 3, vector_at(b3, 0), vector_at(b3, k1), vector_at(b3, k2), s0, s1, s2);
  }
  for (; k < t.k; ++k, ++x, b += width)
    add_row<kVectors>(x, vector_at(b, 0), vector_at(b, k1), vector_at(b, k2), p0, p1, p2);
  V c0, c1, c2;
  load_bias<kVectors>(t, c0, c1, c2);
  finish_row<kVectors>(t, 0, c0, c1, c2, hn::Add(hn::Add(p0, q0), hn::Add(r0, s0)),
                       hn::Add(hn::Add(p1, q1), hn::Add(r1, s1)),
                       hn::Add(hn::Add(p2, q2), hn::Add(r2, s2)));
}

// Element k of a tile's row `kRow`: behind `row`, or among those of all rows.
template <bool kTogether, size_t kRow>
HWY_INLINE const float* element(const float* together, const float* row, size_t k) {
  return kTogether ? together + k * kTileRows + kRow : row + k;
}

template <size_t kRows, size_t kVectors, bool kTogether = false>
HWY_INLINE void some_rows(const LinearTile& t) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const float* xs = t.rows_of_x;
  const float* x0 = t.x;
  const float* x1 = x0 + t.x_stride;
  const float* x2 = kRows > 2 ? x1 + t.x_stride : x0;
  const float* x3 = kRows > 3 ? x2 + t.x_stride : x0;
  const float* x4 = kRows > 4 ? x3 + t.x_stride : x0;
  const float* x5 = kRows > 5 ? x4 + t.x_stride : x0;
  const float* x6 = kRows > 6 ? x5 + t.x_stride : x0;
  const float* x7 = kRows > 7 ? x6 + t.x_stride : x0;
  V s00 = hn::Zero(d), s01 = s00, s02 = s00, s10 = s00, s11 = s00, s12 = s00;
  V s20 = s00, s21 = s00, s22 = s00, s30 = s00, s31 = s00, s32 = s00;
  V s40 = s00, s41 = s00, s42 = s00, s50 = s00, s51 = s00, s52 = s00;
  V s60 = s00, s61 = s00, s62 = s00, s70 = s00, s71 = s00, s72 = s00;
  for (size_t r = 0; r < kRows; ++r) hwy::Prefetch(t.y + r * t.y_stride);
  const float* b = t.panel;
  const std::byte *next = t.next, *const next_end = next + t.next_bytes;
  for (size_t k = 0; k < t.k;) {
    fetch(next, next_end);
    const size_t end = HWY_MIN(t.k, k + kFetchDepth);
    for (; k < end; ++k, b += kVectors * lanes) {
      const V b0 = hn::LoadU(d, b);
      const V b1 = kVectors > 1 ? hn::LoadU(d, b + lanes) : b0;
      const V b2 = kVectors > 2 ? hn::LoadU(d, b + 2 * lanes) : b0;
      add_row<kVectors>(element<kTogether, 0>(xs, x0, k), b0, b1, b2, s00, s01, s02);
      add_row<kVectors>(element<kTogether, 1>(xs, x1, k), b0, b1, b2, s10, s11, s12);
      if constexpr (kRows > 2)
        add_row<kVectors>(element<kTogether, 2>(xs, x2, k), b0, b1, b2, s20, s21, s22);
      if constexpr (kRows > 3)
        add_row<kVectors>(element<kTogether, 3>(xs, x3, k), b0, b1, b2, s30, s31, s32);
      if constexpr (kRows > 4)
        add_row<kVectors>(element<kTogether, 4>(xs, x4, k), b0, b1, b2, s40, s41, s42);
      if constexpr (kRows > 5)
        add_row<kVectors>(element<kTogether, 5>(xs, x5, k), b0, b1, b2, s50, s51, s52);
      if constexpr (kRows > 6)
        add_row<kVectors>(element<kTogether, 6>(xs, x6, k), b0, b1, b2, s60, s61, s62);
      if constexpr (kRows > 7)
        add_row<kVectors>(element<kTogether, 7>(xs, x7, k), b0, b1, b2, s70, s71, s72);
    }
  }
  V c0, c1, c2;
  load_bias<kVectors>(t, c0, c1, c2);
  finish_row<kVectors>(t, 0, c0, c1, c2, s00, s01, s02);
  finish_row<kVectors>(t, 1, c0, c1, c2, s10, s11, s12);
  if constexpr (kRows > 2) finish_row<kVectors>(t, 2, c0, c1, c2, s20, s21, s22);
  if constexpr (kRows > 3) finish_row<kVectors>(t, 3, c0, c1, c2, s30, s31, s32);
  if constexpr (kRows > 4) finish_row<kVectors>(t, 4, c0, c1, c2, s40, s41, s42);
  if constexpr (kRows > 5) finish_row<kVectors>(t, 5, c0, c1, c2, s50, s51, s52);
  if constexpr (kRows > 6) finish_row<kVectors>(t, 6, c0, c1, c2, s60, s61, s62);
  if constexpr (kRows > 7) finish_row<kVectors>(t, 7, c0, c1, c2, s70, s71, s72);
}

template <size_t kVectors>
void tile_of(const LinearTile& t) {
  switch (t.rows) {
    case 1: return one_row<kVectors>(t);
    case 2: return some_rows<2, kVectors>(t);
    case 3: return some_rows<3, kVectors>(t);
    case 4: return some_rows<4, kVectors>(t);
    case 5: return some_rows<5, kVectors>(t);
    case 6: return some_rows<6, kVectors>(t);
    case 7: return some_rows<HWY_MIN(7, kTileRows), kVectors>(t);
    default: return some_rows<kTileRows, kVectors>(t);
  }
}

void tile(const LinearTile& t) {
  const size_t lanes = hn::Lanes(D());
  if (t.columns <= lanes) return tile_of<1>(t);
  if (t.columns <= 2 * lanes) return tile_of<2>(t);
  if (t.rows_of_x && t.rows == kTileRows) return some_rows<kTileRows, kPanelVectors, true>(t);
  if (t.rows_of_x && t.rows + 1 == kTileRows)
    return some_rows<kTileRows - 1, kPanelVectors, true>(t);
  tile_of<kPanelVectors>(t);
}

// Rows of the matrix that are turned at a time, so that the lines they are written to stay cached.
constexpr size_t kTurned = 16;

void pack(const float* w, int64_t k_stride, int64_t column_stride, size_t k, size_t columns,
          float* to) {
  const size_t lanes = hn::Lanes(D()), width = (columns + lanes - 1) / lanes * lanes;
  for (size_t begin = 0; begin < k; begin += kTurned) {
    const size_t end = HWY_MIN(k, begin + kTurned);
    if (column_stride == 1) {
      for (size_t i = begin; i < end; ++i)
        std::memcpy(to + i * width, w + static_cast<int64_t>(i) * k_stride,
                    columns * sizeof(float));
    } else {
      for (size_t j = 0; j < columns; ++j) {
        const float* column = w + static_cast<int64_t>(j) * column_stride;
        for (size_t i = begin; i < end; ++i)
          to[i * width + j] = column[static_cast<int64_t>(i) * k_stride];
      }
    }
    for (size_t i = begin; i < end; ++i)
      std::memset(to + i * width + columns, 0, (width - columns) * sizeof(float));
  }
}

LinearLoops find_linear_loops() {
  const size_t lanes = hn::Lanes(D());
  return {kPanelVectors * lanes, kTileRows, lanes, pack, tile};
}

}  // namespace
}  // namespace tenon::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenon::cpu {

namespace {
HWY_EXPORT(find_linear_loops);
}

LinearLoops linear_loops() { return HWY_DYNAMIC_DISPATCH(find_linear_loops)(); }

}  // namespace tenon::cpu
#endif
