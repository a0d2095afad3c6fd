// Products of 8-bit matrices whose right side is packed once (the weights of a session); the left
// side is laid out a block of rows at a time. Sums are exact on every processor.
//
// Along the inner axis both sides are words of 32 bits: two numbers of 16 bits less their zero
// points (pairs, see integer_product.h), or four of 8 bits, the left ones unsigned (quads), which
// processors with VNNI multiply and add up in one instruction. AVX2 has instructions for quads too,
// which are exact where the right side is narrow: within kNarrowest of 0. The left side of quads
// keeps its zero point, so that sums are too large by the zero point times the sum of the column;
// correct() says by how much.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "backends/cpu/integer_product.h"
#include "tensor/tensor.h"

namespace tenon::cpu {

enum class ByteForm : uint8_t { pairs, quads, narrow_quads };
inline constexpr int32_t kNarrowest = 64;
// The quickest form on this processor of a right side whose elements less their zero points fit 8
// bits whatever they are (`middle`), or are within kNarrowest of 0 (`narrow`).
ByteForm best_byte_form(bool middle, bool narrow);
// Sums of `row_count` <= kMaxIntegerRows rows, `row_stride` bytes apart, with one panel of quads:
// out[rows][panel], panels of kQuadPanel columns or, of narrow quads, kNarrowPanel. By VNNI or AVX2
// where there is such a thing.
using QuadTile = void (*)(const void* rows, size_t row_stride, size_t row_count,
                          const int32_t* panel, size_t words, int32_t* out);
QuadTile quad_tile(ByteForm form);
inline constexpr size_t kQuadPanel = 32, kNarrowPanel = 16;
inline constexpr size_t kQuadRows = 8, kNarrowRows = 6;

// Sums of `rows` rows from `row` on with `columns` columns from `column` on, `stride` apart.
struct ByteTile {
  int64_t row, rows, column, columns;
  const int32_t* sums;
  int64_t stride;

  // The sums of one row.
  const int32_t* of(int64_t r) const { return sums + r * stride; }
  // Plus `bias` of each column, at `to`, the whole result's first.
  void add(const int32_t* bias, int32_t* to, int64_t to_stride) const {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < columns; ++j)
        to[(row + r) * to_stride + column + j] = static_cast<int32_t>(
            static_cast<uint32_t>(of(r)[j]) + static_cast<uint32_t>(bias[column + j]));
  }
  // As bytes at `to`, the whole result's first, whose rows are `to_stride` bytes apart; the scales
  // and biases of `how` are those of the whole result's columns.
  void requantize(Requantization how, std::byte* to, int64_t to_stride) const {
    how.scale += column;
    how.biases += column;
    integer_loops().requantize_rows(sums, static_cast<size_t>(stride), static_cast<size_t>(rows),
                                    static_cast<size_t>(columns), how,
                                    to + row * to_stride + column, static_cast<size_t>(to_stride));
  }
};

class ByteProduct {
 public:
  ByteProduct(ByteForm form, int64_t inner, int64_t columns)
      : form_(form), quads_(quad_tile(form)), inner_(inner), columns_(columns) {
    const int64_t depth = of_quads() ? 4 : 2;
    words_ = (inner + depth - 1) / depth;
    panel_ = static_cast<int64_t>(form == ByteForm::pairs   ? loops().panel
                                  : form == ByteForm::quads ? kQuadPanel
                                                            : kNarrowPanel);
    max_rows_ = static_cast<int64_t>(form == ByteForm::pairs   ? loops().max_rows
                                     : form == ByteForm::quads ? kQuadRows
                                                               : kNarrowRows);
    panels_ = (columns + panel_ - 1) / panel_;
  }

  static const IntegerLoops& loops() { return integer_loops(); }
  ByteForm form() const { return form_; }
  bool of_quads() const { return form_ != ByteForm::pairs; }
  int64_t columns() const { return columns_; }
  int64_t panels() const { return panels_; }
  int64_t max_rows() const { return max_rows_; }
  // Names the layout of a packed matrix: processors differ.
  std::string layout() const {
    return fmt::format("{}x{} in {} panels of {}", inner_, columns_, of_quads() ? "quad" : "pair",
                       panel_);
  }

  // -- The right side -------------------------------------------------------------------------
  // 32-bit elements of a packed matrix: [panels][words][panel], then the sums of the columns.
  int64_t packed_size() const { return panels_ * panel_ * (words_ + 1); }
  // Packs value(k, column), elements less their zero points; those of quads fit 8 bits.
  template <class Value>
  void pack(const Value& value, int32_t* to) const {
    std::fill_n(to, packed_size(), 0);
    int32_t* sums = to + panels_ * panel_ * words_;
    const int64_t depth = of_quads() ? 4 : 2;
    const int bits = of_quads() ? 8 : 16;
    for (int64_t p = 0; p < panels_; ++p)
      for (int64_t k = 0; k < inner_; ++k) {
        int32_t* words = to + (p * words_ + k / depth) * panel_;
        const int shift = static_cast<int>(k % depth) * bits;
        for (int64_t j = p * panel_; j < std::min(columns_, (p + 1) * panel_); ++j) {
          const int32_t element = value(k, j);
          const uint32_t low = static_cast<uint32_t>(element) & ((1U << bits) - 1);
          int32_t& word = words[j - p * panel_];
          word = static_cast<int32_t>(static_cast<uint32_t>(word) | low << shift);
          sums[j] += element;
        }
      }
  }
  // What sums lack for left elements of this type and zero point, added to bias[columns].
  void correct(const int32_t* packed, DType type, int32_t zero_point, int32_t* bias) const {
    if (!of_quads()) return;
    const auto zero = static_cast<uint32_t>(zero_point + (type == DType::i8 ? 128 : 0));
    const int32_t* sums = packed + panels_ * panel_ * words_;
    for (int64_t j = 0; j < columns_; ++j)
      bias[j] = static_cast<int32_t>(static_cast<uint32_t>(bias[j]) -
                                     zero * static_cast<uint32_t>(sums[j]));
  }

  // -- The left side --------------------------------------------------------------------------
  int64_t element_bytes() const { return of_quads() ? 1 : 2; }
  // Bytes of a row as it is laid out.
  int64_t row_bytes() const { return words_ * 4; }
  // Whether rows that lie one behind the other need not be laid out.
  bool takes_as_is(DType type) const { return of_quads() && type == DType::u8 && inner_ % 4 == 0; }
  // Whether several such rows are laid out as if they were one.
  bool rows_join() const { return words_ * 4 == inner_ * element_bytes(); }
  // Lays `count` elements of a row.
  void lay(const void* from, DType type, int64_t count, int32_t zero_point, std::byte* to) const {
    const auto n = static_cast<size_t>(count);
    if (!of_quads())
      loops().widen(from, type, n, zero_point, reinterpret_cast<int16_t*>(to));
    else if (type == DType::u8)
      std::memcpy(to, from, n);
    else
      for (size_t i = 0; i < n; ++i)
        to[i] = static_cast<const std::byte*>(from)[i] ^ std::byte{128};
  }
  // Lays `count` elements that are the zero point.
  void lay_zeros(int64_t count, DType type, int32_t zero_point, std::byte* to) const {
    const int zero = !of_quads() ? 0 : zero_point + (type == DType::i8 ? 128 : 0);
    std::memset(to, zero, static_cast<size_t>(count * element_bytes()));
  }
  // Fills what is left of a row behind its last element.
  void finish_row(std::byte* row) const {
    const int64_t used = inner_ * element_bytes();
    std::memset(row + used, 0, static_cast<size_t>(row_bytes() - used));
  }

  // -- The product ----------------------------------------------------------------------------
  // Sums of rows that lie `row_stride` bytes apart with the panels [first, last) of `packed`, tile
  // by tile: finish(ByteTile).
  template <class Finish>
  void multiply(const std::byte* rows, int64_t row_stride, int64_t row_count, const int32_t* packed,
                int64_t first, int64_t last, const Finish& finish) const {
    alignas(64) int32_t sums[kMaxIntegerRows * kMaxIntegerPanel];
    const auto words = static_cast<size_t>(words_);
    for (int64_t p = first; p < last; ++p) {
      const int32_t* panel = packed + p * words_ * panel_;
      const int64_t count = std::min(panel_, columns_ - p * panel_);
      for (int64_t from = 0; from < row_count; from += max_rows_) {
        const int64_t n = std::min(max_rows_, row_count - from);
        const std::byte* row = rows + from * row_stride;
        if (of_quads())
          quads_(row, static_cast<size_t>(row_stride), static_cast<size_t>(n), panel, words, sums);
        else
          loops().tile(reinterpret_cast<const int32_t*>(row), static_cast<size_t>(row_stride / 4),
                       static_cast<size_t>(n), panel, words, sums);
        finish(ByteTile{from, n, p * panel_, count, sums, panel_});
      }
    }
  }
  // As multiply, of pairs whose rows lie in runs: the inner axis is [runs][2 * pairs].
  template <class Finish>
  void multiply_runs(const std::byte* const* rows, int64_t row_count, const IntegerRuns& runs,
                     const int32_t* packed, const Finish& finish) const {
    alignas(64) int32_t sums[kMaxIntegerRows * kMaxIntegerPanel];
    for (int64_t p = 0; p < panels_; ++p) {
      const int64_t count = std::min(panel_, columns_ - p * panel_);
      for (int64_t from = 0; from < row_count; from += max_rows_) {
        const int64_t n = std::min(max_rows_, row_count - from);
        loops().tile_runs(rows + from, static_cast<size_t>(n), runs, packed + p * words_ * panel_,
                          sums);
        finish(ByteTile{from, n, p * panel_, count, sums, panel_});
      }
    }
  }

 private:
  ByteForm form_;
  QuadTile quads_;
  int64_t inner_, columns_;
  int64_t words_ = 0, panel_ = 0, panels_ = 0, max_rows_ = 0;
};

// Weights of 8 bits: one zero point for all, one a column, or none.
struct ByteZeroPoints {
  const void* data = nullptr;  // null: 0
  DType type = DType::i8;
  int64_t count = 1;

  int32_t at(int64_t column) const {
    return data ? byte_at(data, type, count == 1 ? 0 : column) : 0;
  }
  // The quickest form of weights at `from`: [count / columns][columns], or the other way round.
  ByteForm form_of(const void* from, DType of, int64_t elements, int64_t columns,
                   bool columns_first) const {
    bool narrow = true;
    const int64_t inner = elements / columns;
    for (int64_t i = 0; i < elements && narrow; ++i) {
      const int32_t element = byte_at(from, of, i) - at(columns_first ? i / inner : i % columns);
      narrow = element >= -kNarrowest && element <= kNarrowest;
    }
    return best_byte_form(fit_quads(columns), narrow);
  }
  // Whether elements less their zero points fit 8 bits whatever they are.
  bool fit_quads(int64_t columns) const {
    const int32_t middle = type == DType::i8 ? 0 : 128;
    for (int64_t j = 0; j < (count == 1 ? 1 : columns); ++j)
      if (at(j) != middle) return false;
    return true;
  }
};

}  // namespace tenon::cpu
