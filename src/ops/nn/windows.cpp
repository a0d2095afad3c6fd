// ONNX's window arithmetic (https://onnx.ai/onnx/operators/onnx__MaxPool.html), symbolic and
// concrete.
#include "ops/nn/windows.h"

#include <algorithm>

namespace tenon {

namespace {

// The list attribute `name`, or `fallback` for every axis.
std::vector<int64_t> per_axis(const Call& call, std::string_view name, size_t count,
                              int64_t fallback, int64_t least) {
  const std::span<const int64_t> given = call.ints(name);
  if (given.empty()) return std::vector<int64_t>(count, fallback);
  TENON_CHECK(given.size() == count, usage, "{}: {} has {} entries; this input wants {}",
              call.op.name, name, given.size(), count);
  for (const int64_t value : given)
    TENON_CHECK(value >= least, usage, "{}: {} is {}; every entry must be at least {}",
                call.op.name, name, str(Dims(given.begin(), given.end())), least);
  return {given.begin(), given.end()};
}

AutoPad parse_auto_pad(std::string_view text) {
  if (text == "SAME_UPPER") return AutoPad::same_upper;
  if (text == "SAME_LOWER") return AutoPad::same_lower;
  if (text == "VALID") return AutoPad::valid;
  return AutoPad::notset;
}

bool is_same(AutoPad pad) { return pad == AutoPad::same_upper || pad == AutoPad::same_lower; }

// With ceil_mode the last window must still start inside the input or its leading padding.
Dim ceil_output(const Dim& input, const Dim& extent, int64_t stride, int64_t begin, int64_t end) {
  const Dim fitting = (input + begin + end - extent).ceil_div(stride) + 1;
  if (extent.is_const() && end + stride <= extent.value()) return fitting;
  const Dim starting = (input + begin).ceil_div(stride);
  if (fitting == starting) return fitting;
  if (fitting.is_const() && starting.is_const()) return std::min(fitting.value(), starting.value());
  return Dim::unknown();
}

}  // namespace

WindowAttrs::WindowAttrs(const Call& call, size_t spatial)
    : op(call.op.name),
      strides(per_axis(call, "strides", spatial, 1, 1)),
      dilations(per_axis(call, "dilations", spatial, 1, 1)),
      pads_begin(spatial, 0),
      pads_end(spatial, 0) {
  if (call.op.find_attr("auto_pad")) auto_pad = parse_auto_pad(call.s("auto_pad"));
  if (call.op.find_attr("ceil_mode")) ceil_mode = call.i("ceil_mode") != 0;
  if (auto_pad != AutoPad::notset) return;  // ONNX: pads cannot be used together with auto_pad
  const std::vector<int64_t> pads = per_axis(call, "pads", 2 * spatial, 0, 0);
  for (size_t i = 0; i < spatial; ++i) {
    pads_begin[i] = pads[i];
    pads_end[i] = pads[spatial + i];
  }
}

Dims WindowAttrs::output(const Dims& input, const Dims& kernel) const {
  Dims sizes;
  for (size_t i = 0; i < rank(); ++i) {
    const Dim extent = (kernel[i] - 1) * Dim(dilations[i]) + 1;
    const Dim span = input[i] + pads_begin[i] + pads_end[i] - extent;
    Dim size;
    if (is_same(auto_pad))
      size = input[i].ceil_div(strides[i]);
    else if (ceil_mode && auto_pad == AutoPad::notset)
      size = ceil_output(input[i], extent, strides[i], pads_begin[i], pads_end[i]);
    else
      size = span.floor_div(strides[i]) + 1;
    TENON_CHECK(!size.is_const() || size.value() > 0, usage,
                "{}: a window of {} elements does not fit into spatial axis {} of size {} with "
                "pads {} and {}; "
                "use larger pads, a smaller kernel or a larger input",
                op, extent.str(), i, input[i].str(), pads_begin[i], pads_end[i]);
    sizes.push_back(std::move(size));
  }
  return sizes;
}

Windows resolve_windows(const Call& call, const Shape& kernel, const Shape& input) {
  WindowAttrs attrs(call, kernel.rank());
  const auto output = to_shape(attrs.output(to_dims(input), to_dims(kernel)));
  Windows windows{kernel,         attrs.strides, attrs.dilations, attrs.pads_begin,
                  attrs.pads_end, input,         *output};
  if (!is_same(attrs.auto_pad)) return windows;
  for (size_t i = 0; i < windows.rank(); ++i) {
    const int64_t total = std::max<int64_t>(
        0, (windows.output[i] - 1) * windows.strides[i] + windows.extent(i) - input[i]);
    const int64_t smaller = total / 2;
    windows.pads_begin[i] = attrs.auto_pad == AutoPad::same_upper ? smaller : total - smaller;
    windows.pads_end[i] = total - windows.pads_begin[i];
  }
  return windows;
}

std::pair<int64_t, int64_t> Windows::taps(size_t axis, int64_t at, bool padding) const {
  const int64_t low = (padding ? -pads_begin[axis] : 0) - start(axis, at);
  const int64_t high = input[axis] + (padding ? pads_end[axis] : 0) - start(axis, at);
  // Of the multiples of the dilation, those in [low, high).
  const auto up = [&](int64_t size) { return size <= 0 ? 0 : (size - 1) / dilations[axis] + 1; };
  const int64_t first = std::min(up(low), kernel[axis]);
  return {first, std::clamp(up(high), first, kernel[axis])};
}

Shape known_spatial(std::string_view op, std::string_view what, const Dims& dims) {
  const auto shape = to_shape(spatial_dims(dims));
  TENON_CHECK(shape, unsupported,
              "{}: {} of shape {} has symbolic spatial sizes; fix them to differentiate it", op,
              what, str(dims));
  return *shape;
}

}  // namespace tenon
