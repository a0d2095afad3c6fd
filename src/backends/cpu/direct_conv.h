// A dense convolution of channels-last images in f32 without any transformation
// (direct_conv_loops.h). Windows may be of any size; the channels need not fill vectors.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/conv_finish.h"
#include "backends/cpu/direct_conv_loops.h"

namespace tenon::cpu {

struct DirectConvShape {
  int64_t batch = 1, channels = 0, maps = 0;
  int64_t height = 0, width = 0;          // of the image
  int64_t out_height = 0, out_width = 0;  // of the maps
  int64_t kernel_height = 1, kernel_width = 1;
  int64_t stride_y = 1, stride_x = 1;
  int64_t dilation_y = 1, dilation_x = 1;
  int64_t pad_top = 0, pad_left = 0;

  int64_t pixels() const { return batch * out_height * out_width; }
  int64_t window() const { return kernel_height * kernel_width * channels; }
};

class DirectConv {
 public:
  explicit DirectConv(const DirectConvShape& shape);

  // So few maps would leave most of a vector empty: lanes are elements of the window, and the
  // result is row-major, [batch, maps, out_height, out_width]. Else it is channels-last.
  bool has_few_maps() const { return few_; }
  size_t scratch_bytes() const;
  // How the weights are packed depends on this, has_few_maps(), the channels, the maps and the
  // kernel alone.
  size_t lanes() const { return loops_.lanes; }
  int64_t packed_floats() const;
  // From [maps, channels, kernel_height, kernel_width], to a multiple of 64 bytes.
  void pack(const float* weights, float* packed) const;

  struct Operands {
    const float* x;         // [batch, height, width, channels]
    const float* weights;   // packed
    const float* bias;      // [maps] or null
    const float* residual;  // as y, or null; may be y where writes_in_order()
    float* y;
  };
  // activation(clamp(sums + bias + residual)). `scratch` lies at a multiple of 64 bytes.
  void run(const Operands& operands, const ConvFinish& finish, void* scratch) const;
  // Whether no element of y is written before its residual is read.
  bool writes_in_order() const { return few_ || padded_maps() == shape_.maps; }

 private:
  class Places;  // where the windows of some pixels lie
  struct Panel {
    int64_t first, vectors;  // in vectors of maps
  };
  // Elements of the window: all channels of some places of its rows, which are whole rows or part
  // of one; or some channels of one place.
  struct Part {
    int64_t first_place, places, first_channel, channels;
  };

  int64_t padded_maps() const;
  int64_t panels() const;
  // The one that ends with the last map comes first: its vectors may reach into the next pixel.
  Panel panel(int64_t at) const;
  // The one of at most about `most` elements that begins with `element`.
  Part part(int64_t element, int64_t most) const;
  // `end`: of the pixels that this thread writes.
  void run_block(const Operands& operands, const float* bias, const ConvFinish& finish,
                 Places& places, int64_t from, int64_t to, int64_t end) const;
  void run_panel(const Operands& operands, const float* bias, const ConvFinish& finish,
                 Places& places, Panel panel, int64_t end) const;
  void run_part(const Operands& operands, const float* bias, const ConvFinish& finish,
                Places& places, Panel panel, Part part, int64_t end) const;
  void run_few(const Operands& operands, const float* bias, const ConvFinish& finish,
               Places& places) const;

  DirectConvShape shape_;
  DirectLoops loops_;
  bool few_;
  int64_t vectors_;  // of maps
  int64_t block_;    // pixels worked on with one panel of weights after another
};

}  // namespace tenon::cpu
