// MaxRoiPoolPlaces: which pixel is each maximum of MaxRoiPool, for its gradient.
#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/image/roi_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const auto size = ctx.ints("pooled_shape");
  ctx.check(size.size() == 2, "pooled_shape has {} numbers; give height and width", size.size());
  const Dims y = roi::output(ctx, ctx.dims(0), 1, 5, roi::kNone, size[0], size[1]);
  ctx.output(0, y);
  ctx.output(1, y);
}

void samples(Samples& s) {
  const Arg rois =
      arg::fixed(Tensor::from<float>({0, 0, 0, 3, 2, 1, 1, 1, 9, 9, 1, -3, -3, -1, -1}, {3, 5}));
  const Arg x = arg::distinct({2, 2, 4, 5});
  s.add({x, rois}, {{"pooled_shape", {2, 2}}}).outputs = 2;
  s.add({x, rois}, {{"pooled_shape", {1, 3}}, {"spatial_scale", 0.5}}).outputs = 2;
  s.bad({x, rois}, {{"pooled_shape", {0, 3}}}, "use 1 or more");
}

}  // namespace

constinit const OpDef MaxRoiPoolPlaces{
    .name = "MaxRoiPoolPlaces",
    .doc =
        "For each maximum of MaxRoiPool its place in X, flattened, and 1, or 0 where there is "
        "none.",
    .inputs = {{"X", "T"}, {"rois", "T"}},
    .outputs = {{"Places", "I"}, {"Weights", "T"}},
    .types = {{"T", kFloats}, {"I", kInt64}},
    .attrs = {required("pooled_shape", AttrType::ints), attr_f("spatial_scale", 1)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("places change by leaps"),
    .onnx = no_onnx("only MaxRoiPool's gradient needs it"),
    .samples = samples,
};

}  // namespace tenon::op
