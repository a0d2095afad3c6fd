// Checks and gradients that operators on regions share.
#include "ops/image/roi_rules.h"

#include "ops/math/catalog.h"
#include "ops/nn/windows.h"
#include "ops/shape/catalog.h"

namespace tenon::roi {

Dims output(const InferContext& ctx, const Dims& x, size_t rois, int64_t columns, size_t batch,
            int64_t height, int64_t width) {
  ctx.check(x.size() == 4, "X has shape {}; it takes [N, C, H, W]", str(x));
  ctx.check(!(x[2] == Dim(0)) && !(x[3] == Dim(0)), "X has shape {}; it has no pixels to read",
            str(x));
  ctx.check(ctx.rank(rois) == 2 && !differ(ctx.dims(rois)[1], columns),
            "rois is {}; give [regions, {} numbers]", ctx.str(rois), columns);
  if (batch != kNone)
    ctx.check(ctx.rank(batch) == 1 && !differ(ctx.dims(batch)[0], ctx.dims(rois)[0]),
              "{} is {} and rois is {}; give one image a region", ctx.op.inputs[batch].name,
              ctx.str(batch), ctx.str(rois));
  ctx.check(height >= 1 && width >= 1, "regions are to be {} by {}; use 1 or more", height, width);
  return {ctx.dims(rois)[0], x[1], height, width};
}

int64_t checked_image(std::string_view op, double index, int64_t images) {
  TENON_CHECK(index >= 0 && index < static_cast<double>(images), usage,
              "{}: a region lies in image {}, but X has {}; use 0 to {}", op, index, images,
              images - 1);
  return static_cast<int64_t>(index);
}

Tensor put_back(const GradContext& ctx, const Tensor& dy, const Tensor& places,
                const Tensor& weights) {
  const Tensor all = Tensor::ints({-1}), one = Tensor::ints({1});
  const Tensor zeros = op::Expand(constant_like(dy, 0), op::Reshape(op::Size(ctx.input(0)), one));
  const Tensor sum = op::ScatterElements(zeros, op::Reshape(places, all),
                                         op::Reshape(dy * weights, all), {{"reduction", "add"}});
  return ctx.reshape(sum, 0);
}

Align Align::of(const Call& call) {
  return {call.i("output_height"),
          call.i("output_width"),
          call.i("sampling_ratio"),
          call.f("spatial_scale"),
          call.s("coordinate_transformation_mode") == "half_pixel",
          call.op.find_attr("mode") && call.s("mode") == "max"};
}

}  // namespace tenon::roi
