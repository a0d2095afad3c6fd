// Validation and shapes of pooling.
#include "ops/nn/pool_rules.h"

#include <algorithm>
#include <cmath>

namespace tenon::pool_rules {

namespace {

Dims kernel_dims(const Call& call) {
  const auto kernel = call.ints("kernel_shape");
  return Dims(kernel.begin(), kernel.end());
}

}  // namespace

size_t check(const InferContext& ctx, const Dims& image, std::string_view image_name) {
  ctx.check(image.size() >= 3, "{} has shape {}; it takes [N, C, spatial...] of rank 3 or more",
            image_name, str(image));
  const size_t spatial = image.size() - 2;
  const auto kernel = ctx.ints("kernel_shape");
  ctx.check(kernel.size() == spatial,
            "kernel_shape has {} entries, but {} has {} spatial axes; give one an axis",
            kernel.size(), image_name, spatial);
  ctx.check(std::all_of(kernel.begin(), kernel.end(), [](int64_t k) { return k >= 1; }),
            "kernel_shape is {}; every entry must be at least 1", str(kernel_dims(ctx)));
  const WindowAttrs attrs(ctx, spatial);
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t extent = (kernel[i] - 1) * attrs.dilations[i] + 1;
    ctx.check(std::max(attrs.pads_begin[i], attrs.pads_end[i]) < extent,
              "pads {} and {} of spatial axis {} are not smaller than the window of {}, so a "
              "window would lie in "
              "the padding; use smaller pads",
              attrs.pads_begin[i], attrs.pads_end[i], i, extent);
  }
  return spatial;
}

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  const size_t spatial = check(ctx, x, "X");
  Dims y{x[0], x[1]};
  for (Dim& size : WindowAttrs(ctx, spatial).output(spatial_dims(x), kernel_dims(ctx)))
    y.push_back(std::move(size));
  for (size_t i = 0; i < ctx.output_count(); ++i) ctx.output(i, y);
}

void check_windows(const InferContext& ctx, size_t dy, const Dims& spatial) {
  const Dims wanted = WindowAttrs(ctx, spatial.size()).output(spatial, kernel_dims(ctx));
  for (size_t i = 0; i < spatial.size(); ++i)
    ctx.check(
        !differ(ctx.dims(dy)[i + 2], wanted[i]),
        "dY has spatial sizes {}, but an input of {} gives {}; pass the gradient of that output",
        str(spatial_dims(ctx.dims(dy))), str(spatial), str(wanted));
}

Windows windows(const Call& call, const Shape& image) {
  return resolve_windows(call, Shape(call.ints("kernel_shape")), spatial_shape(image));
}

void lower_dilations(OnnxNode& node, int since) {
  if (const AttrValue* value = node.attrs.find("dilations")) {
    const auto& dilations = std::get<std::vector<int64_t>>(*value);
    TENON_CHECK(
        std::all_of(dilations.begin(), dilations.end(), [](int64_t d) { return d == 1; }),
        unsupported,
        "{}: node {} has dilations {}, which opset {} cannot say; export to opset {} or later",
        node.op_type, node.name, str(Dims(dilations.begin(), dilations.end())), node.opset, since);
    node.attrs = node.attrs.without("dilations");
  }
}

Attrs integral_p(const OnnxNode& node) {
  const AttrValue* value = node.attrs.find("p");
  if (!value || std::holds_alternative<int64_t>(*value)) return node.attrs;
  const double p = std::get<double>(*value);
  TENON_CHECK(p == std::floor(p), unsupported,
              "{}: node {} has p = {}; only whole numbers are supported", node.op_type, node.name,
              p);
  return node.attrs.with({"p", static_cast<int64_t>(p)});
}

void infer_global(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  ctx.check(x.size() >= 3, "X is {}; it takes [N, C, spatial...] of rank 3 or more", ctx.str(0));
  Dims y(x.size(), Dim(1));
  y[0] = x[0];
  y[1] = x[1];
  for (const Dim& size : spatial_dims(x))
    ctx.check(size != Dim(0),
              "X is {}; it has nothing to pool, give it at least one element an axis", ctx.str(0));
  ctx.output(0, std::move(y));
}

Shape spatial_axes(size_t rank) {
  Shape axes;
  for (size_t i = 2; i < rank; ++i) axes.push_back(static_cast<int64_t>(i));
  return axes;
}

}  // namespace tenon::pool_rules
