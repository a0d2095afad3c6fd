// The inner loops of direct convolutions: a few pixels of the result and a few output maps at a
// time, whose sums stay in registers over the whole window.
//
// What one pixel of the result sees of the image is a list of runs, each of `depth` floats that lie
// one after another: of a channels-last image, the pixels of a window's row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/conv_clamp.h"

namespace tenon::cpu {

// Vectors of maps that one tile of `many_maps` has at most, and maps that `few_maps` takes at most.
inline constexpr size_t kDirectVectors = 3, kDirectFewMaps = 4;
inline constexpr size_t kDirectLanes = 16;   // of a vector, at most
inline constexpr size_t kDirectPixels = 12;  // of a tile, at most

// Pixels of the next tile where `left` are to be computed, with so many vectors of many_maps.
constexpr size_t direct_pixels(size_t vectors, size_t left) {
  const size_t most = kDirectPixels / vectors, less = vectors == 1 ? 8 : 3;
  return left >= most ? most : left >= less ? less : left >= 2 ? 2 : 1;
}
// The same for few_maps.
constexpr size_t direct_pixels_few(size_t maps, size_t left) {
  return left >= kDirectPixels / maps ? kDirectPixels / maps : 1;
}

struct DirectTile {
  // Run r of pixel i begins at runs[r * list_step + i] + offset + r * run_step.
  const float* const* runs = nullptr;
  size_t list_step = 0;
  ptrdiff_t offset = 0, run_step = 0;
  size_t run_count = 0, depth = 0;
  size_t pixels = 0;  // as direct_pixels() has it
  size_t maps = 0;

  const float* weights = nullptr;
  // Of many_maps, [pixels][vectors * lanes], 64-byte aligned. The sums go on from what is there
  // unless `begins`, and stay there unless `ends`.
  float* sums = nullptr;
  bool begins = true, ends = true;
  const float* bias = nullptr;      // of all lanes, 64-byte aligned
  const float* residual = nullptr;  // laid out as y, or null; may be y
  float* y = nullptr;
  size_t pixel_step = 0, map_step = 1;  // of y
  // So many pixels at the end are stored with nothing behind their maps touched; before those,
  // where fewer maps are left than a vector has, it is stored whole.
  size_t exact = 0;
  ConvClamp clamp;
};

// The best loops for this processor.
struct DirectLoops {
  size_t lanes = 0;
  // Lanes are maps, side by side in y: weights are [runs][depth][vectors * lanes], 64-byte aligned;
  // maps <= vectors * lanes.
  void (*many_maps)(const DirectTile& tile, size_t vectors) = nullptr;
  // Lanes are places of a run, summed at the end: weights are [maps][runs][depth].
  void (*few_maps)(const DirectTile& tile) = nullptr;
};
DirectLoops direct_loops();

}  // namespace tenon::cpu
