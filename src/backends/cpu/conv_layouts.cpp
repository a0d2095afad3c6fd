#include "backends/cpu/conv_layouts.h"

#include <algorithm>

namespace tenon::cpu {

namespace {

using conv_rules::Geometry;
using dnnl::memory;

// One spatial axis as two.
void lift(Windows& w) {
  for (Shape* sizes : {&w.kernel, &w.strides, &w.dilations, &w.input, &w.output})
    sizes->insert(0, 1);
  w.pads_begin.insert(0, 0);
  w.pads_end.insert(0, 0);
}

// Whether the last of two spatial axes has one place only.
bool is_one_wide(const Windows& w) {
  return w.rank() == 2 && w.input[1] == 1 && w.kernel[1] == 1 && w.output[1] == 1 &&
         w.pads_begin[1] == 0 && w.pads_end[1] == 0;
}

void turn(Windows& w) {
  for (Shape* sizes : {&w.kernel, &w.strides, &w.dilations, &w.input, &w.output})
    std::swap((*sizes)[0], (*sizes)[1]);
  std::swap(w.pads_begin[0], w.pads_begin[1]);
  std::swap(w.pads_end[0], w.pads_end[1]);
}

memory::desc channels_last_desc(memory::data_type type, int64_t batch, int64_t channels,
                                const Shape& spatial) {
  Shape shape{batch, channels};
  for (int64_t size : spatial) shape.push_back(size);
  return {dims_of(shape), type, dims_of(channels_last(shape))};
}

}  // namespace

memory::dims row_major_strides(const memory::dims& sizes) {
  memory::dims strides(sizes.size(), 1);
  for (size_t i = sizes.size() - 1; i-- > 0;)
    strides[i] = strides[i + 1] * std::max<int64_t>(sizes[i + 1], 1);
  return strides;
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

ConvLayouts::ConvLayouts(Geometry g, DType dtype) : type(onednn_type(dtype)) {
  Windows& w = g.windows;
  lifted = w.rank() == 1 && g.groups > 1;
  if (lifted) lift(w);
  turned = is_one_wide(w) && w.kernel[0] > 1;
  if (turned) turn(w);
  strides = dims_of(w.strides);
  pads_begin = dims_of(w.pads_begin);
  pads_end = dims_of(w.pads_end);
  for (int64_t dilation : w.dilations) dilations.push_back(dilation - 1);
  image = channels_last_desc(type, g.batch, g.channels, w.input);
  maps = channels_last_desc(type, g.batch, g.maps, w.output);
  memory::dims sizes;
  if (g.groups > 1)
    sizes = {g.groups, g.group_maps(), g.group_channels()};
  else
    sizes = {g.maps, g.channels};
  for (int64_t size : w.kernel) sizes.push_back(size);
  weights_any = memory::desc(sizes, type, memory::format_tag::any);
  weights = memory::desc(sizes, type, row_major_strides(sizes));
}

memory::desc ConvLayouts::of(const TensorSpec& spec) const {
  Shape shape = spec.shape, given = spec.strides;
  if (lifted) {
    given.insert(2, shape[2] * given[2]);
    shape.insert(2, 1);
  }
  if (turned) {
    std::swap(given[2], given[3]);
    std::swap(shape[2], shape[3]);
  }
  // Strides of axes of size 1 mean nothing; an image of one pixel or one channel is channels-last.
  const Shape last = channels_last(shape);
  bool is_last = true;
  for (size_t axis = 0; axis < shape.rank(); ++axis)
    is_last = is_last && (shape[axis] == 1 || given[axis] == last[axis]);
  return {dims_of(shape), type, dims_of(is_last ? last : given)};
}

memory::desc ConvLayouts::bias(bool present, int64_t channels) const {
  return present ? memory::desc({channels}, type, memory::format_tag::a) : memory::desc();
}

std::string conv_refusal(const PrepareContext& ctx, const Geometry& g, DType type) {
  if (ctx.inputs[0].dtype != type)
    return fmt::format("only {}; x is {}", name(type), name(ctx.inputs[0].dtype));
  if (g.windows.rank() > 3)
    return fmt::format("only 1 to 3 spatial axes; x has {}", g.windows.rank());
  for (const TensorSpec& spec : ctx.inputs)
    if (spec.present() && spec.numel() == 0) return "nothing to compute";
  if (ctx.outputs[0].numel() == 0) return "nothing to compute";
  for (size_t axis = 0; axis < g.windows.rank(); ++axis)
    if (g.windows.pads_begin[axis] < 0 || g.windows.pads_end[axis] < 0) return "negative padding";
  return "";
}

}  // namespace tenon::cpu
