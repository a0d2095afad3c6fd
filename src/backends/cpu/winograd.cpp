// Winograd convolutions: which tiles are worked on together, by whom, in which memory.
#include "backends/cpu/winograd.h"

#include <algorithm>

#include "base/threads.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kChunk = kWinogradChunk;
// Elements lie this much further apart than they need to, so that those of one tile do not compete
// for the same lines of the caches.
constexpr int64_t kSkew = 16;

// Channels that are multiplied at once: their weights stay in the first-level cache from one group
// of rows to the next.
constexpr int64_t kDepth = 128;
// Transformed tiles of a block: half of a usual second-level cache.
constexpr int64_t kBlockBytes = 512 << 10;

constexpr int64_t divided_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

struct Winograd::Block {
  int64_t first, tiles;
  float* transformed;  // [elements][groups of rows][chunks][rows][16]
  float* sums;         // one for each helper
};

struct Winograd::Rows {
  int64_t tiles, count, size;  // size: of all groups but the last, which may be smaller
  Rows(int64_t all, int64_t most)
      : tiles(all), count(divided_up(all, most)), size(divided_up(all, count)) {
    count = divided_up(all, size);
  }
  int64_t first(int64_t group) const { return std::min(group * size, tiles); }
  int64_t length(int64_t group) const { return first(group + 1) - first(group); }
};

int64_t choose_winograd(const WinogradShape& s, int threads) {
  // Nanoseconds, measured on a core of 2.6 GHz with AVX2: what counts are ratios.
  constexpr double kPairs = 42;  // multiplied and added in one
  // To fetch a byte of weights: from memory, or from a cache that is shared.
  const double far = 0.037 / std::min(threads, 2), near = 0.01;
  constexpr double kNearBytes = 4 << 20;
  // A pixel or result of a transformed tile costs as much as so many pairs.
  constexpr double kTransform = 9;
  // Weights for 4x4 are more than twice as many: worth their memory if they save this much.
  constexpr double kSaving = 0.8;

  const auto padded = [](int64_t n) { return static_cast<double>(divided_up(n, kChunk) * kChunk); };
  const auto c = static_cast<double>(s.channels), m = static_cast<double>(s.maps);
  const auto cost = [&](double pairs, double weights) {
    const double bytes = weights * sizeof(float);
    return std::max(pairs / kPairs / threads, bytes * (bytes > kNearBytes ? far : near));
  };
  const auto winograd = [&](int64_t outputs) {
    const auto tiles = static_cast<double>(s.batch * divided_up(s.out_height, outputs) *
                                           divided_up(s.out_width, outputs));
    const auto elements = static_cast<double>((outputs + 2) * (outputs + 2));
    const double products = c * padded(s.maps);
    const double transforms = kTransform * (padded(s.channels) + padded(s.maps));
    return cost(tiles * elements * (products + transforms), elements * products);
  };
  const auto pixels = static_cast<double>(s.batch * s.out_height * s.out_width);
  const double direct = cost(pixels * 9 * c * m, 9 * c * m), two = winograd(2), four = winograd(4);
  const bool heavy = 36 * c * m * sizeof(float) > kNearBytes;
  if (four < direct && four < two * (heavy ? kSaving : 1.0)) return 4;
  return two < direct ? 2 : 0;
}

Winograd::Winograd(const WinogradShape& shape, int64_t outputs, int threads)
    : shape_(shape),
      loops_(winograd_loops(outputs)),
      outputs_(outputs),
      inputs_(outputs + 2),
      elements_(inputs_ * inputs_),
      tiles_y_(divided_up(shape.out_height, outputs)),
      tiles_x_(divided_up(shape.out_width, outputs)),
      tiles_(shape.batch * tiles_y_ * tiles_x_),
      chunks_(divided_up(shape.channels, kChunk)),
      panels_(divided_up(shape.maps, static_cast<int64_t>(loops_.panel))) {
  const auto rows = static_cast<int64_t>(loops_.max_rows);
  const int64_t element_bytes = chunks_ * kChunk * static_cast<int64_t>(sizeof(float));
  // Weights are read once a block: the larger they are, the larger it should be.
  const int64_t fitting = kBlockBytes / (elements_ * element_bytes);
  const int64_t most = std::clamp(fitting, 2 * rows, 5 * rows) / rows * rows;
  if (threads > 1 && tiles_ < 2 * rows * threads) {
    workers_ = 1;
    helpers_ = threads;
    block_ = std::min(tiles_, most);
  } else {
    workers_ = threads;
    helpers_ = 1;
    block_ = std::min(divided_up(tiles_, threads), most);
  }
  element_step_ = block_ * chunks_ * kChunk + kSkew;
  sums_step_ = elements_ * (block_ * static_cast<int64_t>(loops_.panel) + kSkew);
}

size_t Winograd::scratch_bytes() const {
  return static_cast<size_t>(workers_ * (elements_ * element_step_ + helpers_ * sums_step_) +
                             chunks_ * kChunk) *
         sizeof(float);
}

int64_t Winograd::packed_floats() const {
  return panels_ * elements_ * shape_.channels * static_cast<int64_t>(loops_.panel);
}

void Winograd::pack(const float* weights, float* packed) const {
  const double* g = winograd_kernel_transform(outputs_);
  const auto width = static_cast<int64_t>(loops_.panel);
  const auto transformed = [&](const float* kernel, double* to) {
    double half[6][3];
    for (int64_t i = 0; i < inputs_; ++i)
      for (int64_t j = 0; j < 3; ++j)
        half[i][j] = g[i * 3] * static_cast<double>(kernel[j]) +
                     g[i * 3 + 1] * static_cast<double>(kernel[3 + j]) +
                     g[i * 3 + 2] * static_cast<double>(kernel[6 + j]);
    for (int64_t i = 0; i < inputs_; ++i)
      for (int64_t j = 0; j < inputs_; ++j)
        to[i * inputs_ + j] =
            half[i][0] * g[j * 3] + half[i][1] * g[j * 3 + 1] + half[i][2] * g[j * 3 + 2];
  };
  parallel_for(0, panels_ * shape_.channels, 64, [&](int64_t begin, int64_t end) {
    double elements[kMaxWinogradElements];
    for (int64_t at = begin; at < end; ++at) {
      const int64_t panel = at / shape_.channels, channel = at % shape_.channels;
      float* to = packed + (panel * elements_ * shape_.channels + channel) * width;
      for (int64_t j = 0; j < width; ++j) {
        const int64_t map = panel * width + j;
        if (map < shape_.maps)
          transformed(weights + (map * shape_.channels + channel) * 9, elements);
        else
          std::fill_n(elements, elements_, 0.0);
        for (int64_t e = 0; e < elements_; ++e)
          to[e * shape_.channels * width + j] = static_cast<float>(elements[e]);
      }
    }
  });
}

void Winograd::transform(const Operands& operands, const float* zeros, int64_t tile, float* to,
                         int64_t chunk_step) const {
  const int64_t x = tile % tiles_x_, y = tile / tiles_x_ % tiles_y_, n = tile / tiles_x_ / tiles_y_;
  const int64_t left = x * outputs_ - shape_.pad_left, top = y * outputs_ - shape_.pad_top;
  const float* image = operands.x + n * shape_.height * shape_.width * shape_.channels;
  const float* pixels[kMaxWinogradElements];
  for (int64_t i = 0; i < inputs_; ++i)
    for (int64_t j = 0; j < inputs_; ++j) {
      const int64_t row = top + i, column = left + j;
      const bool inside = row >= 0 && row < shape_.height && column >= 0 && column < shape_.width;
      pixels[i * inputs_ + j] =
          inside ? image + (row * shape_.width + column) * shape_.channels : zeros;
    }
  loops_.input(pixels, static_cast<size_t>(shape_.channels), to, static_cast<size_t>(chunk_step),
               static_cast<size_t>(element_step_));
}

void Winograd::multiply(const Operands& operands, const ConvFinish& finish, const Block& block,
                        const Rows& rows, int64_t panel, int64_t group, int64_t groups,
                        float* sums) const {
  const auto width = static_cast<int64_t>(loops_.panel);
  const int64_t from = rows.count * group / groups, to = rows.count * (group + 1) / groups;
  const int64_t first = rows.first(from), tiles = rows.first(to) - first;
  const int64_t step = tiles * width + kSkew;
  const float* weights = operands.weights + panel * elements_ * shape_.channels * width;
  // Weights come from afar and are used at once, so the next ones are fetched meanwhile: all of
  // them where there is one group of rows, else a half with each of the first two.
  const int64_t ahead_step = to - from > 1 ? width / 2 : width;
  for (int64_t e = 0; e < elements_; ++e)
    for (int64_t k = 0; k < shape_.channels; k += kDepth) {
      const int64_t depth = std::min<int64_t>(kDepth, shape_.channels - k);
      const float* ahead = weights + kDepth * width;
      for (int64_t r = from; r < to; ++r, ahead += depth * ahead_step)
        loops_.product(block.transformed + e * element_step_ + rows.first(r) * chunks_ * kChunk +
                           rows.length(r) * k,
                       static_cast<size_t>(rows.length(r)), weights, static_cast<size_t>(depth),
                       sums + e * step + (rows.first(r) - first) * width, ahead,
                       static_cast<size_t>(r - from < 2 ? ahead_step : 0), k > 0);
      weights += depth * width;
    }

  WinogradTarget target;
  target.element_step = static_cast<size_t>(step);
  target.channels = static_cast<size_t>(std::min(width, shape_.maps - panel * width));
  if (operands.bias) target.bias = operands.bias + panel * width;
  target.pixel_step = static_cast<size_t>(shape_.maps);
  target.row_step = static_cast<size_t>(shape_.maps * shape_.out_width);
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t tile = block.first + first + i;
    const int64_t left = tile % tiles_x_ * outputs_, top = tile / tiles_x_ % tiles_y_ * outputs_;
    const int64_t n = tile / tiles_x_ / tiles_y_;
    const int64_t at =
        ((n * shape_.out_height + top) * shape_.out_width + left) * shape_.maps + panel * width;
    target.sums = sums + i * width;
    target.rows = static_cast<size_t>(std::min(outputs_, shape_.out_height - top));
    target.columns = static_cast<size_t>(std::min(outputs_, shape_.out_width - left));
    target.y = operands.y + at;
    target.residual = operands.residual ? operands.residual + at : nullptr;
    loops_.output(target, finish.clamp);
    if (!finish.activation) continue;
    for (size_t row = 0; row < target.rows; ++row)
      for (size_t column = 0; column < target.columns; ++column)
        finish.activation(target.y + row * target.row_step + column * target.pixel_step,
                          target.channels);
  }
}

void Winograd::run_block(const Operands& operands, const ConvFinish& finish, const float* zeros,
                         const Block& block) const {
  const Rows rows(block.tiles, static_cast<int64_t>(loops_.max_rows));
  parallel_for(0, block.tiles, helpers_ > 1 ? 1 : block.tiles, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t group = i / rows.size, size = rows.length(group);
      float* to = block.transformed + rows.first(group) * chunks_ * kChunk +
                  (i - rows.first(group)) * kChunk;
      transform(operands, zeros, block.first + i, to, size * kChunk);
    }
  });
  const int64_t groups = std::clamp<int64_t>(divided_up(helpers_, panels_), 1, rows.count);
  const int64_t items = panels_ * groups;
  parallel_for(0, helpers_, 1, [&](int64_t begin, int64_t end) {
    for (int64_t helper = begin; helper < end; ++helper)
      for (int64_t i = items * helper / helpers_; i < items * (helper + 1) / helpers_; ++i)
        multiply(operands, finish, block, rows, i / groups, i % groups, groups,
                 block.sums + helper * sums_step_);
  });
}

void Winograd::run(const Operands& operands, const ConvFinish& finish, void* scratch) const {
  auto* zeros = static_cast<float*>(scratch);
  std::fill_n(zeros, chunks_ * kChunk, 0.0F);
  float* memory = zeros + chunks_ * kChunk;
  const int64_t worker_floats = elements_ * element_step_ + helpers_ * sums_step_;
  parallel_for(0, workers_, 1, [&](int64_t begin, int64_t end) {
    for (int64_t worker = begin; worker < end; ++worker) {
      const int64_t from = tiles_ * worker / workers_, to = tiles_ * (worker + 1) / workers_;
      if (from == to) continue;
      const int64_t blocks = divided_up(to - from, block_), size = divided_up(to - from, blocks);
      float* own = memory + worker * worker_floats;
      for (int64_t first = from; first < to; first += size)
        run_block(operands, finish, zeros,
                  {first, std::min(size, to - first), own, own + elements_ * element_step_});
    }
  });
}

}  // namespace tenon::cpu
