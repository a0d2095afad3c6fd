// RoiAlignPlaces: which weighted pixel is each maximum of RoiAlign, for its gradient.
#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/image/roi_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims y =
      roi::output(ctx, ctx.dims(0), 1, 4, 2, ctx.i("output_height"), ctx.i("output_width"));
  ctx.output(0, y);
  ctx.output(1, y);
}

void samples(Samples& s) {
  const Arg rois = arg::fixed(Tensor::from<float>(
      {0.3F, 0.2F, 3.1F, 2.9F, -1.4F, 0.5F, 2.2F, 5.5F, 1.1F, 1.3F, 1.2F, 1.4F}, {3, 4}));
  const Arg x = arg::distinct({2, 2, 4, 5}), images = arg::ints({0, 1, 1});
  s.add({x, rois, images}, {{"output_height", 2}, {"output_width", 3}}).outputs = 2;
  s.add({x, rois, images}, {{"sampling_ratio", 2}, {"spatial_scale", 0.75}}).outputs = 2;
  s.bad({arg::any({2, 4, 5}), rois, images}, {}, "it takes [N, C, H, W]");
}

}  // namespace

constinit const OpDef RoiAlignPlaces{
    .name = "RoiAlignPlaces",
    .doc = "For each maximum of RoiAlign in mode max, its place in X, flattened, and its weight.",
    .inputs = {{"X", "T1"}, {"rois", "T1"}, {"batch_indices", "T2"}},
    .outputs = {{"Places", "T2"}, {"Weights", "T1"}},
    .types = {{"T1", kFloats}, {"T2", kInt64}},
    .attrs = {attr_s("coordinate_transformation_mode", "half_pixel",
                     "half_pixel|output_half_pixel"),
              attr_i("output_height", 1), attr_i("output_width", 1), attr_i("sampling_ratio", 0),
              attr_f("spatial_scale", 1)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("places change by leaps, and weights do not depend on X"),
    .onnx = no_onnx("only RoiAlign's gradient needs it"),
    .samples = samples,
};

}  // namespace tenon::op
