// Sliding windows of convolutions and pooling: how the attributes strides, dilations, pads,
// auto_pad and ceil_mode decide which input elements each output element sees, along each spatial
// axis.
#pragma once

#include <string_view>
#include <utility>

#include "ops/op.h"

namespace tenon {

enum class AutoPad : uint8_t { notset, same_upper, same_lower, valid };

// What the attributes of a call say, with ONNX's defaults where they are absent.
struct WindowAttrs {
  std::string_view op;  // for messages
  Shape strides, dilations, pads_begin, pads_end;
  AutoPad auto_pad = AutoPad::notset;
  bool ceil_mode = false;

  // Fails (usage) unless each list has an entry for each of the `spatial` axes, strides and
  // dilations are at least 1 and pads at least 0.
  WindowAttrs(const Call& call, size_t spatial);

  size_t rank() const { return strides.rank(); }
  // Spatial sizes of the output. Fails (usage) where not even one window fits.
  Dims output(const Dims& input, const Dims& kernel) const;
};

// The windows of a call whose spatial sizes are all known. `input` is the side the windows slide
// over and `output` counts them, also for operators that go from the counted side to the other one.
struct Windows {
  Shape kernel, strides, dilations, pads_begin, pads_end, input, output;

  size_t rank() const { return kernel.rank(); }
  // Where window `at` begins on `axis`: negative in the padding.
  int64_t start(size_t axis, int64_t at) const { return at * strides[axis] - pads_begin[axis]; }
  // Elements from the first to the last that a window touches.
  int64_t extent(size_t axis) const { return (kernel[axis] - 1) * dilations[axis] + 1; }
  // The kernel's elements [first, second) that lie inside the input (or, with `padding`, inside the
  // padded input) at window `at` of `axis`. A window of ceil_mode may reach past the padding.
  std::pair<int64_t, int64_t> taps(size_t axis, int64_t at, bool padding) const;
  // How many those are.
  int64_t covered(size_t axis, int64_t at, bool padding) const {
    const auto [first, end] = taps(axis, at, padding);
    return end - first;
  }
};

// Sizes are those of the spatial axes alone. auto_pad is resolved into pads.
Windows resolve_windows(const Call& call, const Shape& kernel, const Shape& input);

// The spatial sizes of `dims`, [N, C, spatial...].
inline Dims spatial_dims(const Dims& dims) { return Dims(dims.begin() + 2, dims.end()); }
inline Shape spatial_shape(const Shape& shape) {
  return Shape(std::span<const int64_t>(shape.begin() + 2, shape.rank() - 2));
}
// As numbers; fails (unsupported) when some are symbolic, naming the operator and `what`.
Shape known_spatial(std::string_view op, std::string_view what, const Dims& dims);

// True when both are constants and they differ.
inline bool differ(const Dim& a, const Dim& b) {
  return a.is_const() && b.is_const() && a.value() != b.value();
}

}  // namespace tenon
