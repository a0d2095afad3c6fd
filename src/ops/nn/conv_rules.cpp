// Validation, shapes and geometry of the convolution family.
#include "ops/nn/conv_rules.h"

#include <algorithm>

namespace tenon::conv_rules {

namespace {

struct TransposeAttrs : WindowAttrs {
  Shape output_padding, output_shape;  // output_shape is empty where not given

  TransposeAttrs(const Call& call, size_t spatial)
      : WindowAttrs(call, spatial), output_padding(spatial, 0) {
    const auto padding = call.ints("output_padding"), sizes = call.ints("output_shape");
    TENON_CHECK(padding.empty() || padding.size() == spatial, usage,
                "{}: output_padding has {} entries; this input wants {}", op, padding.size(),
                spatial);
    TENON_CHECK(sizes.empty() || sizes.size() == spatial, usage,
                "{}: output_shape has {} entries; give the {} spatial sizes", op, sizes.size(),
                spatial);
    if (!padding.empty()) output_padding = Shape(padding);
    output_shape = Shape(sizes);
    for (size_t i = 0; i < spatial; ++i)
      TENON_CHECK(output_padding[i] >= 0 && output_padding[i] < std::max(strides[i], dilations[i]),
                  usage,
                  "{}: output_padding {} of spatial axis {} must be smaller than its stride {} or "
                  "dilation {}",
                  op, output_padding[i], i, strides[i], dilations[i]);
    if (output_shape.empty()) return;
    for (size_t i = 0; i < spatial; ++i)
      TENON_CHECK(output_shape[i] > 0, usage,
                  "{}: output_shape is {}; every entry must be at least 1", op, output_shape.str());
  }
  bool same() const { return auto_pad == AutoPad::same_upper || auto_pad == AutoPad::same_lower; }
};

Geometry geometry(const Call& call, const Shape& maps, const Shape& weights, Windows windows) {
  Geometry g;
  g.batch = maps[0];
  g.groups = call.i("group");
  g.channels = weights[1] * g.groups;
  g.maps = weights[0];
  g.windows = std::move(windows);
  return g;
}

}  // namespace

Geometry of_conv(const Call& call, const Shape& image, const Shape& weights) {
  return geometry(call, image, weights,
                  resolve_windows(call, spatial_shape(weights), spatial_shape(image)));
}

Geometry of_transpose(const Call& call, const Shape& maps, const Shape& weights) {
  return geometry(call, maps, weights,
                  resolve_transpose(call, spatial_shape(weights), spatial_shape(maps)));
}

Geometry of_input_grad(const Call& call, const Shape& maps, const Shape& weights) {
  return geometry(call, maps, weights,
                  resolve_windows(call, spatial_shape(weights), Shape(call.ints("input_spatial"))));
}

Geometry of_weight_grad(const Call& call, const Shape& image, const Shape& maps) {
  Geometry g;
  g.batch = image[0];
  g.groups = call.i("group");
  g.channels = image[1];
  g.maps = maps[1];
  g.windows = resolve_windows(call, Shape(call.ints("kernel_shape")), spatial_shape(image));
  return g;
}

void check_ranks(const InferContext& ctx, size_t at, std::string_view role, size_t weights) {
  ctx.check(ctx.rank(at) >= 3, "{} is {}; it takes [N, C, spatial...] of rank 3 or more", role,
            ctx.str(at));
  if (weights == SIZE_MAX) return;
  ctx.check(ctx.rank(weights) == ctx.rank(at), "{} is {} and W is {}; both must have the same rank",
            role, ctx.str(at), ctx.str(weights));
}

void check_channels(const InferContext& ctx, size_t at, std::string_view role, const Dim& wanted) {
  ctx.check(!differ(ctx.dims(at)[1], wanted),
            "{} is {}, but with group {} the weights want {} channels there", role, ctx.str(at),
            ctx.i("group"), wanted.str());
}

void check_groups(const InferContext& ctx, std::string_view role, const Dim& count) {
  const int64_t group = ctx.i("group");
  ctx.check(group >= 1, "group is {}; it must be at least 1", group);
  ctx.check(!count.is_const() || count.value() % group == 0,
            "{} {} cannot be divided into {} groups; use a group that divides them", count.str(),
            role, group);
}

void check_kernel(const InferContext& ctx, size_t weights) {
  const auto kernel = ctx.ints("kernel_shape");
  if (kernel.empty()) return;
  const Dims given(kernel.begin(), kernel.end());
  const Dims actual = spatial_dims(ctx.dims(weights));
  const bool fits = given.size() == actual.size() &&
                    std::equal(given.begin(), given.end(), actual.begin(),
                               [](const Dim& a, const Dim& b) { return !differ(a, b); });
  ctx.check(fits, "kernel_shape is {}, but W is {}; leave it out or give W's spatial sizes",
            str(given), ctx.str(weights));
}

void check_bias(const InferContext& ctx, size_t at, const Dim& size) {
  if (!ctx.has_input(at)) return;
  ctx.check(ctx.rank(at) == 1 && !differ(ctx.dims(at)[0], size), "B is {}; it must have shape [{}]",
            ctx.str(at), size.str());
}

void check_windows(const InferContext& ctx, size_t at, const Dims& image, const Dims& kernel) {
  const Dims wanted = WindowAttrs(ctx, image.size()).output(image, kernel);
  for (size_t i = 0; i < image.size(); ++i)
    ctx.check(
        !differ(ctx.dims(at)[i + 2], wanted[i]),
        "dY is {}, but an image of spatial sizes {} gives {}; pass the gradient of that output",
        ctx.str(at), str(image), str(wanted));
}

Dims transpose_output(const Call& call, const Dims& input, const Dims& kernel) {
  const TransposeAttrs attrs(call, input.size());
  Dims sizes;
  for (size_t i = 0; i < input.size(); ++i) {
    const Dim extent = (kernel[i] - 1) * Dim(attrs.dilations[i]) + 1;
    Dim size;
    if (!attrs.output_shape.empty())
      size = attrs.output_shape[i];
    else if (attrs.same())
      size = input[i] * Dim(attrs.strides[i]);
    else
      size = (input[i] - 1) * Dim(attrs.strides[i]) + extent + attrs.output_padding[i] -
             attrs.pads_begin[i] - attrs.pads_end[i];
    TENON_CHECK(!size.is_const() || size.value() > 0, usage,
                "{}: spatial axis {} of size {} with a window of {} and pads {} and {} gives no "
                "output; use smaller "
                "pads or a larger kernel",
                attrs.op, i, input[i].str(), extent.str(), attrs.pads_begin[i], attrs.pads_end[i]);
    sizes.push_back(std::move(size));
  }
  return sizes;
}

Windows resolve_transpose(const Call& call, const Shape& kernel, const Shape& input) {
  const TransposeAttrs attrs(call, input.rank());
  const auto output = to_shape(transpose_output(call, to_dims(input), to_dims(kernel)));
  Windows windows{kernel,  attrs.strides, attrs.dilations, attrs.pads_begin, attrs.pads_end,
                  *output, input};
  for (size_t i = 0; i < input.rank(); ++i) {
    const int64_t reach = (input[i] - 1) * attrs.strides[i] + windows.extent(i);
    if (attrs.same() || !attrs.output_shape.empty()) {
      const int64_t total = std::max<int64_t>(0, reach + attrs.output_padding[i] - (*output)[i]);
      const int64_t smaller = total / 2;
      windows.pads_begin[i] = attrs.auto_pad == AutoPad::same_upper ? smaller : total - smaller;
    }
    windows.pads_end[i] = reach - windows.pads_begin[i] - (*output)[i];
  }
  return windows;
}

Attrs explicit_attrs(const Windows& windows, int64_t group) {
  std::vector<int64_t> pads = windows.pads_begin.vector();
  pads.insert(pads.end(), windows.pads_end.begin(), windows.pads_end.end());
  return {{"dilations", windows.dilations},
          {"group", group},
          {"kernel_shape", windows.kernel},
          {"pads", AttrValue(std::move(pads))},
          {"strides", windows.strides}};
}

Tensor channel_sum(const Tensor& dy) {
  Shape axes{0};
  for (size_t i = 2; i < dy.rank(); ++i) axes.push_back(static_cast<int64_t>(i));
  return dy.sum(axes);
}

double flops(const Dims& maps, const Dims& weights) {
  double count = 2;
  const auto times = [&](const Dim& dim) {
    count *= dim.is_const() ? static_cast<double>(dim.value()) : 1;
  };
  std::for_each(maps.begin(), maps.end(), times);
  std::for_each(weights.begin() + 1, weights.end(), times);
  return count;
}

}  // namespace tenon::conv_rules
