// A 3x3 convolution with stride 1 by Winograd's algorithm (winograd_loops.h), of channels-last
// images in f32.
//
// Error against the exact result, relative to the largest output: 2^-17 for tiles of 4x4 and 2^-19
// for 2x2, with 512 channels of normally distributed numbers; it grows as the square root of the
// channels (winograd_test.cpp). An infinity or NaN in the image spoils all outputs of the tiles
// that see it, not those alone that see it themselves.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/conv_finish.h"
#include "backends/cpu/winograd_loops.h"

namespace tenon::cpu {

struct WinogradShape {
  int64_t batch = 1, channels = 0, maps = 0;
  int64_t height = 0, width = 0;          // of the image
  int64_t out_height = 0, out_width = 0;  // of the maps
  int64_t pad_top = 0, pad_left = 0;
};

// The tile (2 or 4 outputs along an axis) that should be quicker; 0 where a direct convolution
// should be. `threads` share the work.
int64_t choose_winograd(const WinogradShape& shape, int threads);

class Winograd {
 public:
  // `outputs`: 2 or 4. `threads`: how many may share the work.
  Winograd(const WinogradShape& shape, int64_t outputs, int threads);

  size_t scratch_bytes() const;
  // How the weights are packed depends on this, the channels and the maps alone.
  size_t panel() const { return loops_.panel; }
  int64_t packed_floats() const;
  // From [maps, channels, 3, 3] to [panels][elements][channels][panel], at a multiple of 64 bytes.
  void pack(const float* weights, float* packed) const;

  struct Operands {
    const float* x;         // [batch, height, width, channels]
    const float* weights;   // packed
    const float* bias;      // [maps] or null
    const float* residual;  // as y, or null; may be y
    float* y;               // [batch, out_height, out_width, maps]
  };
  // activation(clamp(sums + bias + residual)). `scratch` lies at a multiple of 64 bytes.
  void run(const Operands& operands, const ConvFinish& finish, void* scratch) const;

 private:
  struct Rows;   // how the tiles of a block are grouped
  struct Block;  // tiles worked on together

  int64_t sums_floats(int64_t tiles) const;
  void transform(const Operands& operands, const float* zeros, int64_t tile, float* to,
                 int64_t chunk_step) const;
  void run_block(const Operands& operands, const ConvFinish& finish, const float* zeros,
                 const Block& block) const;
  void multiply(const Operands& operands, const ConvFinish& finish, const Block& block,
                const Rows& rows, int64_t panel, int64_t group, int64_t groups, float* sums) const;

  WinogradShape shape_;
  WinogradLoops loops_;
  int64_t outputs_, inputs_, elements_;
  int64_t tiles_y_, tiles_x_, tiles_;
  int64_t chunks_, panels_;
  int64_t workers_;       // blocks under way at the same time, each with its memory
  int64_t helpers_;       // threads that share one block
  int64_t block_;         // tiles of the largest block
  int64_t element_step_;  // floats between elements of transformed tiles
  int64_t sums_step_;     // floats between the sums of helpers
};

}  // namespace tenon::cpu
