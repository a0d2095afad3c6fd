// Direct convolutions: which pixels are worked on together, and where their windows lie.
#include "backends/cpu/direct_conv.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/threads.h"

namespace tenon::cpu {

namespace {

constexpr int64_t kMaxBlock = 96;
// What a block sees of the image: less than half of a usual second-level cache.
constexpr int64_t kBlockBytes = 192 << 10;
// Weights that all pixels of a block are multiplied with before the next: half of a usual
// first-level cache.
constexpr int64_t kPartBytes = 16 << 10;
// Multiplications worth a thread of their own.
constexpr int64_t kGrain = 1 << 18;

constexpr int64_t divided_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

// Blocks hold at most kMaxBlock pixels.
class DirectConv::Places {
 public:
  Places(const DirectConvShape& shape, const float* x, const float* zeros)
      : s_(shape), x_(x), zeros_(zeros) {
    // A window's row is one run unless pixels are left out of it.
    joined_ = s_.dilation_x == 1;
    row_step_ = s_.dilation_y * s_.width * s_.channels;
  }

  void move_to(int64_t from, int64_t to) {
    first = from;
    count = to - from;
    inside_ = joined_;
    int64_t column = from % s_.out_width, row = from / s_.out_width % s_.out_height;
    int64_t image = from / s_.out_width / s_.out_height;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t top = row * s_.stride_y - s_.pad_top;
      const int64_t left = column * s_.stride_x - s_.pad_left;
      const int64_t at = ((image * s_.height + top) * s_.width + left) * s_.channels;
      const bool inside = top >= 0 && left >= 0 &&
                          top + (s_.kernel_height - 1) * s_.dilation_y < s_.height &&
                          left + (s_.kernel_width - 1) * s_.dilation_x < s_.width;
      const auto place = static_cast<size_t>(i);
      inside_ = inside_ && inside;
      pixels_[place] = {top, left, at, inside};
      begins_[place] = inside ? x_ + at : nullptr;
      if (++column < s_.out_width) continue;
      column = 0;
      if (++row < s_.out_height) continue;
      row = 0;
      ++image;
    }
  }

  // What `tile.pixels` pixels of the block from `at` on see of `part`.
  void set_runs(DirectTile& tile, int64_t at, const Part& part) {
    const auto place = static_cast<size_t>(at);
    bool inside = inside_;
    if (joined_ && !inside) {
      inside = true;
      for (size_t i = 0; i < tile.pixels; ++i) inside = inside && pixels_[place + i].inside;
    }
    if (inside) {
      const int64_t rows = std::max<int64_t>(part.places / s_.kernel_width, 1);
      tile.runs = begins_.data() + place;
      tile.list_step = 0;
      tile.offset = part.first_place / s_.kernel_width * row_step_ +
                    part.first_place % s_.kernel_width * s_.channels + part.first_channel;
      tile.run_step = row_step_;
      tile.run_count = static_cast<size_t>(rows);
      tile.depth = static_cast<size_t>(part.places / rows * part.channels);
      return;
    }
    list_.resize(static_cast<size_t>(part.places) * tile.pixels);
    for (size_t i = 0; i < tile.pixels; ++i) list(pixels_[place + i], part, tile.pixels, i);
    tile.runs = list_.data();
    tile.list_step = tile.pixels;
    tile.offset = part.first_channel;
    tile.run_step = 0;
    tile.run_count = static_cast<size_t>(part.places);
    tile.depth = static_cast<size_t>(part.channels);
  }

  int64_t first = 0, count = 0;
  // Of the pixels with one panel of maps.
  alignas(64) std::array<float, kMaxBlock * kDirectVectors * kDirectLanes> sums;

 private:
  struct Pixel {
    int64_t top, left;
    int64_t at;  // of the window's first element, which may lie outside
    bool inside;
  };

  void list(const Pixel& pixel, const Part& part, size_t step, size_t to) {
    int64_t i = part.first_place / s_.kernel_width, j = part.first_place % s_.kernel_width;
    for (int64_t k = 0; k < part.places; ++k, to += step) {
      const int64_t row = pixel.top + i * s_.dilation_y, column = pixel.left + j * s_.dilation_x;
      const bool inside = row >= 0 && row < s_.height && column >= 0 && column < s_.width;
      const int64_t at = pixel.at + i * row_step_ + j * s_.dilation_x * s_.channels;
      list_[to] = inside ? x_ + at : zeros_;
      if (++j < s_.kernel_width) continue;
      j = 0;
      ++i;
    }
  }

  const DirectConvShape& s_;
  const float *x_, *zeros_;
  bool joined_;
  bool inside_ = false;  // all windows of the block, and joined
  int64_t row_step_;
  std::array<Pixel, kMaxBlock> pixels_;
  std::array<const float*, kMaxBlock> begins_;
  std::vector<const float*> list_;
};

DirectConv::DirectConv(const DirectConvShape& shape) : shape_(shape), loops_(direct_loops()) {
  const auto lanes = static_cast<int64_t>(loops_.lanes);
  // Sums over lanes must not outweigh the sums in lanes, and runs must fill vectors.
  constexpr int64_t kVectorsOfWindow = 6;
  const int64_t run = shape.dilation_x == 1 ? shape.kernel_width * shape.channels : shape.channels;
  few_ = shape.maps <= static_cast<int64_t>(kDirectFewMaps) && shape.maps * 2 < lanes &&
         run >= lanes && shape.window() >= kVectorsOfWindow * lanes;
  vectors_ = divided_up(shape.maps, lanes);
  const int64_t bytes = shape.channels * std::min(shape.stride_y, shape.kernel_height) *
                        std::min(shape.stride_x, shape.kernel_width) *
                        static_cast<int64_t>(sizeof(float));
  constexpr auto kTile = static_cast<int64_t>(kDirectPixels);
  block_ = std::clamp(kBlockBytes / bytes / kTile * kTile, kTile, kMaxBlock);
}

int64_t DirectConv::padded_maps() const {
  return few_ ? shape_.maps : vectors_ * static_cast<int64_t>(loops_.lanes);
}

size_t DirectConv::scratch_bytes() const {
  const int64_t floats = divided_up(padded_maps(), 16) * 16 + divided_up(shape_.channels, 16) * 16;
  return static_cast<size_t>(floats) * sizeof(float);
}

int64_t DirectConv::packed_floats() const { return padded_maps() * shape_.window(); }

int64_t DirectConv::panels() const { return std::max<int64_t>(vectors_ / 2, 1); }

DirectConv::Panel DirectConv::panel(int64_t at) const {
  static_assert(kDirectVectors == 3);
  const int64_t last = vectors_ == 1 ? 1 : 2 + vectors_ % 2;
  if (at == 0) return {vectors_ - last, last};
  return {2 * (at - 1), 2};
}

void DirectConv::pack(const float* weights, float* packed) const {
  const int64_t places = shape_.kernel_height * shape_.kernel_width;
  const auto element = [&](int64_t map, int64_t k) {
    return weights[(map * shape_.channels + k % shape_.channels) * places + k / shape_.channels];
  };
  const int64_t window = shape_.window();
  if (few_) {
    for (int64_t map = 0; map < shape_.maps; ++map)
      for (int64_t k = 0; k < window; ++k) *packed++ = element(map, k);
    return;
  }
  const auto lanes = static_cast<int64_t>(loops_.lanes);
  parallel_for(0, panels(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      const Panel p = panel(at);
      float* to = packed + p.first * lanes * window;
      for (int64_t k = 0; k < window; ++k)
        for (int64_t j = 0; j < p.vectors * lanes; ++j) {
          const int64_t map = p.first * lanes + j;
          *to++ = map < shape_.maps ? element(map, k) : 0.0F;
        }
    }
  });
}

DirectConv::Part DirectConv::part(int64_t element, int64_t most) const {
  const int64_t c = shape_.channels, width = shape_.kernel_width;
  const int64_t place = element / c, channel = element % c;
  // Nearly equal ones.
  const auto share = [&](int64_t all, int64_t at_most) {
    return divided_up(all, divided_up(all, at_most));
  };
  if (channel > 0 || most < c)
    return {place, 1, channel, std::min(share(c, std::max<int64_t>(most, 1)), c - channel)};
  const int64_t places = most / c;
  if (place % width > 0 || places < width)
    return {place, std::min(share(width, places), width - place % width), 0, c};
  const int64_t row = place / width;
  return {place,
          std::min(share(shape_.kernel_height, places / width), shape_.kernel_height - row) * width,
          0, c};
}

void DirectConv::run_part(const Operands& operands, const float* bias, const ConvFinish& finish,
                          Places& places, Panel panel, Part part, int64_t end) const {
  const auto lanes = static_cast<int64_t>(loops_.lanes);
  const int64_t width = panel.vectors * lanes, first_map = panel.first * lanes;
  const int64_t window = shape_.window();
  const int64_t element = part.first_place * shape_.channels + part.first_channel;
  DirectTile tile;
  tile.maps = static_cast<size_t>(std::min(width, shape_.maps - first_map));
  tile.weights = operands.weights + first_map * window + element * width;
  tile.begins = element == 0;
  tile.ends = element + part.places * part.channels == window;
  tile.bias = bias + first_map;
  tile.pixel_step = static_cast<size_t>(shape_.maps);
  tile.clamp = finish.clamp;
  // Over so many pixels behind it reaches a pixel that is stored in whole vectors.
  const int64_t reach = divided_up(padded_maps() - shape_.maps, shape_.maps);
  const auto vectors = static_cast<size_t>(panel.vectors);
  for (int64_t i = 0; i < places.count; i += static_cast<int64_t>(tile.pixels)) {
    tile.pixels = direct_pixels(vectors, static_cast<size_t>(places.count - i));
    places.set_runs(tile, i, part);
    const int64_t at = (places.first + i) * shape_.maps + first_map;
    tile.y = operands.y + at;
    tile.residual = operands.residual ? operands.residual + at : nullptr;
    tile.sums = places.sums.data() + i * width;
    const auto count = static_cast<int64_t>(tile.pixels);
    tile.exact = static_cast<size_t>(
        std::clamp<int64_t>(places.first + i + count - (end - reach), 0, count));
    loops_.many_maps(tile, vectors);
  }
}

void DirectConv::run_panel(const Operands& operands, const float* bias, const ConvFinish& finish,
                           Places& places, Panel panel, int64_t end) const {
  const int64_t window = shape_.window();
  const int64_t width = panel.vectors * static_cast<int64_t>(loops_.lanes);
  // The sums of few pixels cost more to keep than their weights to fetch again.
  const bool whole = places.count <= 2 * static_cast<int64_t>(kDirectPixels) / panel.vectors;
  const int64_t most = whole ? window : kPartBytes / (width * static_cast<int64_t>(sizeof(float)));
  for (int64_t element = 0; element < window;) {
    const Part next = part(element, most);
    run_part(operands, bias, finish, places, panel, next, end);
    element += next.places * next.channels;
  }
}

void DirectConv::run_few(const Operands& operands, const float* bias, const ConvFinish& finish,
                         Places& places) const {
  const int64_t plane = shape_.out_height * shape_.out_width;
  DirectTile tile;
  tile.maps = static_cast<size_t>(shape_.maps);
  tile.weights = operands.weights;
  tile.bias = bias;
  tile.pixel_step = 1;
  tile.map_step = static_cast<size_t>(plane);
  tile.clamp = finish.clamp;
  for (int64_t i = 0; i < places.count; i += static_cast<int64_t>(tile.pixels)) {
    const int64_t pixel = places.first + i, image = pixel / plane;
    // Planes of two images do not lie one after another.
    const int64_t left = std::min(places.count - i, (image + 1) * plane - pixel);
    tile.pixels = direct_pixels_few(tile.maps, static_cast<size_t>(left));
    places.set_runs(tile, i, {0, shape_.kernel_height * shape_.kernel_width, 0, shape_.channels});
    const int64_t at = image * plane * (shape_.maps - 1) + pixel;
    tile.y = operands.y + at;
    tile.residual = operands.residual ? operands.residual + at : nullptr;
    loops_.few_maps(tile);
    if (!finish.activation) continue;
    for (size_t map = 0; map < tile.maps; ++map)
      finish.activation(tile.y + map * tile.map_step, tile.pixels);
  }
}

void DirectConv::run_block(const Operands& operands, const float* bias, const ConvFinish& finish,
                           Places& places, int64_t from, int64_t to, int64_t end) const {
  places.move_to(from, to);
  if (few_) return run_few(operands, bias, finish, places);
  for (int64_t at = 0; at < panels(); ++at)
    run_panel(operands, bias, finish, places, panel(at), end);
  if (finish.activation)
    finish.activation(operands.y + from * shape_.maps,
                      static_cast<size_t>((to - from) * shape_.maps));
}

void DirectConv::run(const Operands& operands, const ConvFinish& finish, void* scratch) const {
  auto* bias = static_cast<float*>(scratch);
  float* zeros = bias + divided_up(padded_maps(), 16) * 16;
  std::fill_n(bias, padded_maps(), 0.0F);
  if (operands.bias) std::copy_n(operands.bias, shape_.maps, bias);
  std::fill_n(zeros, shape_.channels, 0.0F);
  const int64_t pixel_work = std::max<int64_t>(shape_.window() * padded_maps(), 1);
  const int64_t grain = std::max<int64_t>(kGrain / pixel_work, 1);
  parallel_for(0, shape_.pixels(), grain, [&](int64_t begin, int64_t end) {
    Places places(shape_, operands.x, zeros);
    const int64_t blocks = divided_up(end - begin, block_);
    const int64_t size = divided_up(end - begin, blocks);
    for (int64_t from = begin; from < end; from += size) {
      const int64_t to = std::min(from + size, end);
      run_block(operands, bias, finish, places, from, to, end);
    }
  });
}

}  // namespace tenon::cpu
