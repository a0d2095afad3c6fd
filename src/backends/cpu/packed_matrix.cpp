#include "backends/cpu/packed_matrix.h"

#include <algorithm>
#include <cstring>

#include "base/threads.h"

namespace tenon::cpu {

namespace {

// Of few rows the panels are read once and from afar: the longer the stretches, the better. With a
// tile of x this much leaves room in the second cache (1 MiB, 192 KiB of it at most).
constexpr int64_t kMaxDepth = 1024;
// From so many tiles on, what is multiplied of a panel stays in the nearest cache while all tiles
// of a block pass by, and the next part is fetched meanwhile.
constexpr int64_t kManyTiles = 8;
constexpr int64_t kPartBytes = 32 << 10;
// Tiles of one block: its rows of x stay in the second cache from panel to panel.
constexpr int64_t kBlockTiles = 24;
// From so many panels on, rows of x are first laid side by side: a tile reads one stretch of memory
// then, not six whose lines may fall into the same places of the cache.
constexpr int64_t kManyPanels = 8;
// Of so many elements of x at a time.
constexpr int64_t kLaidElements = 1 << 20;
// Room for a tile that waits for its activation.
constexpr size_t kTileFloats = 512;
constexpr int64_t kLineFloats = 16;  // of a line of the cache
// What one thread does in a nanosecond, roughly: operations, and bytes read from memory.
constexpr double kOperations = 80;
constexpr double kBytes = 25;
// Nanoseconds worth a thread of their own.
constexpr double kShare = 8000;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// `count` things in `parts` parts of nearly equal size: where part i begins.
int64_t part_begin(int64_t i, int64_t count, int64_t parts) {
  return i * (count / parts) + std::min(i, count % parts);
}

int64_t floats_of_panels(const MatrixView& m, const LinearLoops& loops) {
  const auto panel = static_cast<int64_t>(loops.panel), lanes = static_cast<int64_t>(loops.lanes);
  const int64_t whole = m.columns / panel * panel;
  return m.k * (whole + divide_up(m.columns - whole, lanes) * lanes);
}

Tensor make_panels(const MatrixView& m, const LinearLoops& loops) {
  const auto panel = static_cast<int64_t>(loops.panel);
  Tensor panels = Tensor::empty({floats_of_panels(m, loops)}, DType::f32);
  auto* to = panels.data<float>();
  parallel_for(0, divide_up(m.columns, panel), 1, [&](int64_t from, int64_t end) {
    for (int64_t p = from; p < end; ++p)
      loops.pack(m.data + p * panel * m.column_stride, m.k_stride, m.column_stride,
                 static_cast<size_t>(m.k),
                 static_cast<size_t>(std::min(panel, m.columns - p * panel)), to + p * panel * m.k);
  });
  return panels;
}

class Product {
 public:
  Product(const PackedMatrix& matrix, const LinearProduct& product,
          const ActivationLoop& activation)
      : m_(matrix), p_(product), activation_(activation) {
    panel_ = static_cast<int64_t>(m_.loops.panel);
    lanes_ = static_cast<int64_t>(m_.loops.lanes);
    panels_ = divide_up(m_.columns, panel_);
    tiles_ = divide_up(p_.rows, static_cast<int64_t>(m_.loops.max_rows));
    many_ = tiles_ >= kManyTiles;
    const auto line = panel_ * static_cast<int64_t>(sizeof(float));
    depths_ = divide_up(m_.k, many_ ? kPartBytes / line : kMaxDepth);
  }

  void run() {
    if (!many_ || panels_ < kManyPanels || m_.k == 0) return multiply(0, tiles_);
    const int64_t most = std::max(kBlockTiles, kLaidElements / (m_.k * max_rows()));
    const int64_t chunks = divide_up(tiles_, most);
    laid_ = Tensor::empty({std::min(tiles_, most) * max_rows() * m_.k}, DType::f32);
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const int64_t first = part_begin(chunk, tiles_, chunks);
      const int64_t last = part_begin(chunk + 1, tiles_, chunks);
      lay(first, last);
      multiply(first, last);
    }
  }

 private:
  int64_t max_rows() const { return static_cast<int64_t>(m_.loops.max_rows); }

  // Rows of the tiles from `first` to `last` side by side (LinearTile::rows_of_x).
  void lay(int64_t first, int64_t last) {
    laid_from_ = first;
    auto* to = laid_.data<float>();
    parallel_for(first, last, kLaidElements / 64 / (m_.k * max_rows()) + 1,
                 [&](int64_t from, int64_t end) {
                   for (int64_t tile = from; tile < end; ++tile)
                     lay_tile(tile, to + (tile - first) * max_rows() * m_.k);
                 });
  }

  void lay_tile(int64_t tile, float* to) const {
    constexpr int64_t kStretch = 64;
    const int64_t begin = part_begin(tile, p_.rows, tiles_);
    const int64_t rows = part_begin(tile + 1, p_.rows, tiles_) - begin;
    const int64_t step = max_rows();
    for (int64_t k = 0; k < m_.k; k += kStretch) {
      const int64_t end = std::min(m_.k, k + kStretch);
      for (int64_t row = 0; row < rows; ++row) {
        const float* from = p_.x + (begin + row) * p_.x_stride;
        for (int64_t i = k; i < end; ++i) to[i * step + row] = from[i];
      }
    }
  }

  void multiply(int64_t first_tile, int64_t last_tile) const {
    const int64_t tiles = last_tile - first_tile, blocks = divide_up(tiles, kBlockTiles);
    const double depth = static_cast<double>(m_.k);
    const double columns = static_cast<double>(std::min(panel_, m_.columns));
    const double rows = static_cast<double>(p_.rows) / static_cast<double>(tiles_);
    const double compute = 2 * rows * columns * depth / kOperations;
    const double read = 4 * columns * depth / kBytes / static_cast<double>(tiles_);
    const auto grain = static_cast<int64_t>(kShare / std::max({compute, read, 1.0})) + 1;
    // Block by block and panel by panel, so that a panel is read from memory once for all rows of
    // a share.
    parallel_for(0, panels_ * tiles, grain, [&](int64_t from, int64_t end) {
      for (int64_t block = 0; block < blocks; ++block) {
        const int64_t first = part_begin(block, tiles, blocks);
        const int64_t count = part_begin(block + 1, tiles, blocks) - first;
        const int64_t begin = first * panels_;
        const int64_t last = std::min(end, begin + count * panels_);
        for (int64_t at = std::max(from, begin); at < last;) {
          const int64_t panel = (at - begin) / count, tile = (at - begin) % count;
          const int64_t some = std::min(count - tile, last - at);
          multiply_panel(panel, first_tile + first + tile, first_tile + first + tile + some);
          at += some;
        }
      }
    });
  }

  void multiply_panel(int64_t panel, int64_t first, int64_t last) const {
    const int64_t column = panel * panel_, columns = std::min(panel_, m_.columns - column);
    const int64_t width = divide_up(columns, lanes_) * lanes_;
    const float* from = m_.panels.data<float>() + column * m_.k;
    const float* all_end = m_.panels.data<float>() + m_.panels.numel();
    for (int64_t d = 0; d < depths_; ++d) {
      const int64_t k = part_begin(d, m_.k, depths_), end = part_begin(d + 1, m_.k, depths_);
      // What comes next lies behind: the same panel's next part or the next panel's first.
      const float* next = from + end * width;
      const int64_t next_floats = many_ ? std::min((end - k) * width, all_end - next) : 0;
      for (int64_t tile = first; tile < last; ++tile) {
        const int64_t row = part_begin(tile, p_.rows, tiles_);
        const int64_t rows = part_begin(tile + 1, p_.rows, tiles_) - row;
        LinearTile t;
        t.x = p_.x + row * p_.x_stride + k;
        t.x_stride = static_cast<size_t>(p_.x_stride);
        t.rows = static_cast<size_t>(rows);
        if (laid_.defined())
          t.rows_of_x = laid_.data<float>() + ((tile - laid_from_) * m_.k + k) * max_rows();
        t.panel = from + k * width;
        t.k = static_cast<size_t>(end - k);
        t.columns = static_cast<size_t>(columns);
        t.scale = p_.scale;
        t.y = p_.y + row * p_.y_stride + column;
        t.y_stride = static_cast<size_t>(p_.y_stride);
        if (d > 0) {
          t.add = t.y;
          t.add_stride = t.y_stride;
        } else {
          if (p_.bias) t.bias = p_.bias + column;
          if (p_.add) t.add = p_.add + row * p_.add_stride + column;
          t.add_stride = static_cast<size_t>(p_.add_stride);
        }
        const int64_t here = part_begin(tile - first, next_floats / kLineFloats, last - first);
        const int64_t behind =
            part_begin(tile - first + 1, next_floats / kLineFloats, last - first);
        t.next = reinterpret_cast<const std::byte*>(next + here * kLineFloats);
        t.next_bytes = static_cast<size_t>((behind - here) * kLineFloats) * sizeof(float);
        if (activation_ && d + 1 == depths_)
          activated(t);
        else
          m_.loops.tile(t);
      }
    }
  }

  // Through a buffer where the rows of y lie apart: the activation has one run of elements, not one
  // of a few vectors for each row.
  void activated(LinearTile t) const {
    const size_t count = t.rows * t.columns;
    if (t.rows == 1 || count > kTileFloats) {
      m_.loops.tile(t);
      for (size_t row = 0; row < t.rows; ++row) activation_(t.y + row * t.y_stride, t.columns);
      return;
    }
    alignas(64) float tile[kTileFloats];
    float* y = t.y;
    const size_t stride = t.y_stride;
    t.y = tile;
    t.y_stride = t.columns;
    m_.loops.tile(t);
    activation_(tile, count);
    for (size_t row = 0; row < t.rows; ++row)
      std::memcpy(y + row * stride, tile + row * t.columns, t.columns * sizeof(float));
  }

  const PackedMatrix& m_;
  const LinearProduct& p_;
  const ActivationLoop& activation_;
  int64_t panel_, lanes_, panels_, tiles_, depths_;
  bool many_;
  Tensor laid_;  // rows of x side by side, those of the tile laid_from_ first
  int64_t laid_from_ = 0;
};

}  // namespace

PackedMatrix pack_matrix(const MatrixView& matrix) {
  const LinearLoops loops = linear_loops();
  return {loops, matrix.k, matrix.columns, make_panels(matrix, loops)};
}

PackedMatrix pack_matrix(PackedStore& store, const MatrixView& matrix) {
  const LinearLoops loops = linear_loops();
  const std::string layout =
      fmt::format("panels of {}: {} x {}, strides {}, {}", loops.panel, matrix.k, matrix.columns,
                  matrix.k_stride, matrix.column_stride);
  return {loops, matrix.k, matrix.columns,
          store.get(matrix.data, layout, [&] { return make_panels(matrix, loops); },
                    {DType::f32, floats_of_panels(matrix, loops)})};
}

void multiply(const PackedMatrix& matrix, const LinearProduct& product,
              const ActivationLoop& activation) {
  if (product.rows > 0) Product(matrix, product, activation).run();
}

}  // namespace tenon::cpu
