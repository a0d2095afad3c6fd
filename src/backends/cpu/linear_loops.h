// Inner loops of products of f32 rows with a matrix that was packed once: a tile of a few rows and
// one panel of columns stays in registers from the first product to the bias.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tenon::cpu {

// y = scale * x * panel + bias + add, for `rows` rows and the first `columns` columns of a panel.
struct LinearTile {
  const float* x = nullptr;
  size_t x_stride = 0;  // strides are in elements, from row to row
  size_t rows = 0;      // 1 to LinearLoops::max_rows
  // The rows side by side, element (row, i) at [i * max_rows + row], or null. Read instead of x
  // where the panel is whole and at most one row is missing.
  const float* rows_of_x = nullptr;
  const float* panel = nullptr;
  size_t k = 0;
  size_t columns = 0;  // 1 to LinearLoops::panel
  float scale = 1;
  const float* bias = nullptr;  // one a column; null: none
  const float* add = nullptr;   // [rows, columns], may be y; null: none
  size_t add_stride = 0;
  float* y = nullptr;
  size_t y_stride = 0;
  // Memory that is wanted next, fetched into the nearest cache meanwhile, as far as the tile's time
  // allows. Tiles of one row fetch nothing.
  const std::byte* next = nullptr;
  size_t next_bytes = 0;
};

struct LinearLoops {
  size_t panel = 0;     // columns of a whole panel
  size_t max_rows = 0;  // of a tile
  size_t lanes = 0;     // a panel of fewer columns is as wide as the next multiple of this

  // Packs one panel, [k][width] with zeros behind the last of `columns`. Element (i, j) of the
  // matrix is w[i * k_stride + j * column_stride].
  void (*pack)(const float* w, int64_t k_stride, int64_t column_stride, size_t k, size_t columns,
               float* to) = nullptr;
  void (*tile)(const LinearTile& tile) = nullptr;
};
// Those of the best instruction set.
LinearLoops linear_loops();

}  // namespace tenon::cpu
