// MaxRoiPool: the maximum of each bin of each region, bins being whole pixels (Fast R-CNN).
#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/image/roi_rules.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const auto size = ctx.ints("pooled_shape");
  ctx.check(size.size() == 2, "pooled_shape has {} numbers; give height and width", size.size());
  ctx.output(0, roi::output(ctx, ctx.dims(0), 1, 5, roi::kNone, size[0], size[1]));
}

TensorList grad(const GradContext& ctx) {
  TensorList out = ctx.none();
  if (!ctx.needs(0)) return out;
  const TensorList places = MaxRoiPoolPlaces.all({ctx.input(0), ctx.input(1)}, ctx.attrs, 2);
  out[0] = roi::put_back(ctx, ctx.grad(), places[0], places[1]);
  return out;
}

void samples(Samples& s) {
  const Arg x = arg::distinct({2, 2, 4, 5});
  const Arg rois =
      arg::fixed(Tensor::from<double>({0, 0, 0, 3, 2, 1, 1, 1, 9, 9, 1, -3, -3, -1, -1}, {3, 5}));
  s.add({x, rois}, {{"pooled_shape", {2, 2}}});
  s.add({x, rois}, {{"pooled_shape", {1, 3}}, {"spatial_scale", 0.5}});
  Sample& narrow = s.add({x, arg::range({2, 5}, 0, 1)}, {{"pooled_shape", {2, 1}}});
  narrow.types = types(DType::f32, DType::f16);
  narrow.grad = false;
  s.add({x, arg::range({0, 5}, 0, 1)}, {{"pooled_shape", {2, 1}}}).grad = false;
  s.bad({x, arg::any({2, 4})}, {{"pooled_shape", {2, 1}}}, "give [regions, 5 numbers]");
  s.bad({x, arg::any({2, 5})}, {{"pooled_shape", {2}}}, "give height and width");
  s.bad({x, arg::any({2, 5})}, {}, "attribute pooled_shape is missing");
  s.bad({x, arg::fixed(Tensor::from<float>({2, 0, 0, 1, 1}, {1, 5}))}, {{"pooled_shape", {1, 1}}},
        "a region lies in image 2");
}

}  // namespace

constinit const OpDef MaxRoiPool{
    .name = "MaxRoiPool",
    .doc =
        "The maximum of each bin of each region image, x1, y1, x2, y2; 0 for a bin without "
        "pixels.",
    .inputs = {{"X", "T"}, {"rois", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {required("pooled_shape", AttrType::ints), attr_f("spatial_scale", 1)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::all_inputs},
    .onnx = {.since = 1},
    .samples = samples,
};

}  // namespace tenon::op
