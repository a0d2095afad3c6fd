// The innermost two axes of a strided copy.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/convert.h"

namespace tenon {

// Element (i, j) is read at from + i*from_row + j*from_column and written likewise; i < rows,
// j < columns; steps are in bytes.
struct Panel {
  int64_t rows = 1, columns = 1;
  int64_t from_row = 0, from_column = 0;
  int64_t to_row = 0, to_column = 0;
  size_t from_bytes = 0, to_bytes = 0;  // of an element
  ConvertRun convert;                   // panels that convert
};
using CopyPanel = void (*)(const std::byte* from, std::byte* to, const Panel& panel);

// A panel is best split between threads at multiples of this many rows; elsewhere costs speed only.
inline constexpr int64_t kTransposedRows = 256;
int64_t whole_rows(const Panel& panel);

// The fastest way for elements of one type: rows as blocks, transposition (source columns as
// blocks) by tiles, or one element at a time.
CopyPanel choose_copy(const Panel& panel);
// As above, for elements that panel.convert takes from one type to another.
CopyPanel choose_convert(const Panel& panel);

}  // namespace tenon
