// Exact products of 8-bit matrices. Elements less their zero points are widened to 16 bits, where
// two products fit a 32-bit sum whatever the types are; the 8-bit instructions of processors
// without VNNI saturate such sums at 16 bits (vpmaddubsw), and oneDNN uses those.
//
// The left matrix is packed by rows, [rows][pairs] of two 16-bit numbers in 32 bits; the right one
// in panels of `panel` columns, [pairs][panel] likewise. An odd last element is paired with 0.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace tenon::cpu {

// How sums become numbers of 8 bits: saturate(round((sum + bias) * scale) + zero_point).
struct Requantization {
  int32_t bias = 0;
  const float* scale = nullptr;  // one a column, or one for all
  bool one_scale = false;
  int32_t zero_point = 0;
  DType type = DType::u8;
  const int32_t* biases = nullptr;  // one a column, instead of `bias`
};

// Pairs that follow each other in `count` places of a row, `pairs` of them at each of `offsets`
// (bytes; any alignment).
struct IntegerRuns {
  const int64_t* offsets = nullptr;
  size_t count = 0, pairs = 0;
};

// The best loops for this processor. Rows and columns are contiguous along the axis named last.
struct IntegerLoops {
  size_t panel;     // columns of a panel; a multiple of 4, at most kMaxIntegerPanel
  size_t max_rows;  // that `tile` takes

  // Packs a row of `count` elements less `zero_point` into (count + 1) / 2 pairs.
  void (*pack_row)(const void* from, DType type, size_t count, int32_t zero_point, int32_t* to);
  // Packs `columns` <= panel columns of `inner` rows that lie `stride` elements apart.
  // `zero_points` has one number a column of the panel.
  void (*pack_panel)(const void* from, DType type, size_t stride, size_t inner, size_t columns,
                     const int32_t* zero_points, int32_t* to);
  // Widens `count` elements less `zero_point`.
  void (*widen)(const void* from, DType type, size_t count, int32_t zero_point, int16_t* to);
  // Pairs of two rows; `second` may be null, for zeros.
  void (*interleave)(const int16_t* first, const int16_t* second, size_t count, int32_t* to);
  // Sums of 1 <= rows <= max_rows rows, `row_stride` pairs apart, with one panel: out[rows][panel].
  void (*tile)(const int32_t* rows, size_t row_stride, size_t row_count, const int32_t* panel,
               size_t pairs, int32_t* out);
  // As tile, with `panel` columns of unpacked rows: what few rows are cheaper with.
  void (*tile_unpacked)(const int32_t* rows, size_t row_stride, size_t row_count, const void* from,
                        DType type, size_t stride, size_t inner, const int32_t* zero_points,
                        int32_t* out);
  void (*requantize)(const int32_t* sums, size_t count, const Requantization& how, void* to);
  // As requantize, of `rows` rows of sums `stride` elements apart, to rows `to_stride` bytes apart;
  // scales and biases are each one a column.
  void (*requantize_rows)(const int32_t* sums, size_t stride, size_t rows, size_t count,
                          const Requantization& how, void* to, size_t to_stride);
  // (sum + bias) * scale + add, each one a column; `add` may be null, for zeros.
  void (*to_floats)(const int32_t* sums, size_t count, const int32_t* biases, const float* scale,
                    const float* add, float* to);
  // As tile, of rows whose pairs lie in runs: panel[count * pairs][panel].
  void (*tile_runs)(const std::byte* const* rows, size_t row_count, const IntegerRuns& runs,
                    const int32_t* panel, int32_t* out);
};
const IntegerLoops& integer_loops();

inline constexpr size_t kMaxIntegerPanel = 64;
inline constexpr size_t kMaxIntegerRows = 8;

constexpr size_t integer_pairs(size_t inner) { return (inner + 1) / 2; }

// Two numbers of 16 bits in one of 32, the first in the low half.
inline int32_t integer_pair(int32_t first, int32_t second) {
  return static_cast<int32_t>(static_cast<uint32_t>(first & 0xffff) | static_cast<uint32_t>(second)
                                                                          << 16);
}

// The 8-bit number at `at`.
inline int32_t byte_at(const void* base, DType type, int64_t at) {
  return type == DType::i8 ? static_cast<const int8_t*>(base)[at]
                           : static_cast<const uint8_t*>(base)[at];
}

}  // namespace tenon::cpu
