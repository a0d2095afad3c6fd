// The inner loops of Winograd convolutions with 3x3 kernels: tiles of the image transformed, the
// products of tiles and weights for each of their elements, and products transformed back.
//
// A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2015 (arXiv:1509.09308):
// F(2x2, 3x3) makes 2x2 outputs of a tile of 4x4 pixels with 16 multiplications instead of 36,
// F(4x4, 3x3) 4x4 outputs of 6x6 pixels with 36 instead of 144.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/conv_clamp.h"

namespace tenon::cpu {

// Transformed tiles are kept [element][channels / 16][tiles][16], the last chunk filled in part.
inline constexpr size_t kWinogradChunk = 16;
inline constexpr size_t kMaxWinogradRows = 14;      // tiles that one product takes
inline constexpr size_t kMaxWinogradElements = 36;  // of a tile

// Where one tile's products go: `rows` x `columns` pixels of `channels` <= panel channels each.
struct WinogradTarget {
  const float* sums = nullptr;  // of the tile: [element] steps of element_step, panel channels
  size_t element_step = 0;
  size_t rows = 0, columns = 0, channels = 0;
  const float* bias = nullptr;      // [channels] or null
  const float* residual = nullptr;  // laid out as y, or null; may be y
  float* y = nullptr;
  size_t row_step = 0, pixel_step = 0;  // of y
};

// The best loops for this processor.
struct WinogradLoops {
  size_t panel;     // output channels worked on together
  size_t max_rows;  // tiles worked on together, at most kMaxWinogradRows

  // One tile's elements from its pixels, which `pixels` lists row by row; each has `channels`
  // channels. Chunks of kWinogradChunk channels are written `chunk_step` apart, elements
  // `element_step` apart.
  void (*input)(const float* const* pixels, size_t channels, float* to, size_t chunk_step,
                size_t element_step);
  // to[rows][panel] = tiles[channels / 16][rows][16] * weights[channels][panel]. tiles, weights and
  // to lie at multiples of 64 bytes. rows <= max_rows. With `add`, it is added to what is there.
  // Meanwhile channels * ahead_step floats from `ahead` on are brought nearer, for a later call.
  void (*product)(const float* tiles, size_t rows, const float* weights, size_t channels, float* to,
                  const float* ahead, size_t ahead_step, bool add);
  void (*output)(const WinogradTarget& target, const ConvClamp& clamp);
};
// For tiles of 2x2 or 4x4 outputs.
WinogradLoops winograd_loops(int64_t outputs);

// The transform of kernels, the paper's G: [outputs + 2][3], row-major.
const double* winograd_kernel_transform(int64_t outputs);

}  // namespace tenon::cpu
