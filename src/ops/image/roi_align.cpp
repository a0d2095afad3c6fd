// RoiAlign: regions of an image, each read on a lattice and pooled to one size (Mask R-CNN).
#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/image/roi_rules.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.i("sampling_ratio") >= 0, "sampling_ratio is {}; use 0 or more",
            ctx.i("sampling_ratio"));
  ctx.output(0,
             roi::output(ctx, ctx.dims(0), 1, 4, 2, ctx.i("output_height"), ctx.i("output_width")));
}

TensorList grad(const GradContext& ctx) {
  TensorList out = ctx.none();
  if (!ctx.needs(0)) return out;
  const Attrs attrs = ctx.attrs.without("mode");
  const Tensor &rois = ctx.input(1), &images = ctx.input(2);
  if (ctx.s("mode") == "avg") {
    out[0] = RoiAlignGrad(ctx.grad(), rois, images, ctx.shape_of(0), attrs);
  } else {
    const TensorList places = RoiAlignPlaces.all({ctx.input(0), rois, images}, attrs, 2);
    out[0] = roi::put_back(ctx, ctx.grad(), places[0], places[1]);
  }
  return out;
}

// Opset 10 did not shift by half a pixel.
TensorList from_10(const OnnxNode& node) {
  return RoiAlign.all(node.inputs,
                      node.attrs.with({"coordinate_transformation_mode", "output_half_pixel"}));
}
void lowered(OnnxNode& node) {
  const Call call{RoiAlign, node.attrs};
  TENON_CHECK(node.opset >= 10 && call.s("coordinate_transformation_mode") == "output_half_pixel",
              unsupported,
              "RoiAlign '{}': opset {} cannot shift by half a pixel; export at opset 16 or newer",
              node.name, node.opset);
  node.attrs = node.attrs.without("coordinate_transformation_mode");
}

void samples(Samples& s) {
  const Arg x = arg::distinct({2, 2, 4, 5});
  const Arg rois = arg::fixed(
      Tensor::from<double>({0.3, 0.2, 3.1, 2.9, -1.4, 0.5, 2.2, 5.5, 1.1, 1.3, 1.2, 1.4}, {3, 4}));
  const Arg wide = arg::typed({3, 4}, DType::f32, -0.5, 5), images = arg::ints({0, 1, 1});
  for (const char* mode : {"avg", "max"})
    for (const char* how : {"half_pixel", "output_half_pixel"}) {
      const Attrs attrs{{"mode", mode}, {"coordinate_transformation_mode", how}};
      s.add({x, rois, images}, attrs.with({"output_height", 2}).with({"output_width", 3}));
      s.add({x, rois, images}, attrs.with({"output_height", 2})
                                   .with({"sampling_ratio", 2})
                                   .with({"spatial_scale", 0.75}));
      Sample& sample = s.add({x, arg::range({3, 4}, 0, 4), images},
                             attrs.with({"output_width", 3}).with({"sampling_ratio", 3}));
      sample.grad = false;
      sample.types = types(DType::f32, DType::f64, DType::f16);
    }
  s.add({x, arg::range({0, 4}, 0, 1), arg::ints({})}).grad = false;
  s.bad({arg::any({2, 4, 5}), wide, images}, {}, "it takes [N, C, H, W]");
  s.bad({x, arg::any({3, 5}), images}, {}, "give [regions, 4 numbers]");
  s.bad({x, wide, arg::ints({0})}, {}, "give one image a region");
  s.bad({x, wide, images}, {{"output_width", 0}}, "use 1 or more");
  s.bad({x, wide, images}, {{"sampling_ratio", -1}}, "sampling_ratio is -1");
  s.bad({x, wide, arg::ints({0, 2, 0})}, {}, "a region lies in image 2, but X has 2");
}

}  // namespace

constinit const OpDef RoiAlign{
    .name = "RoiAlign",
    .doc =
        "Regions x1, y1, x2, y2 of X, each read between pixels on a lattice and pooled to one "
        "size.",
    .inputs = {{"X", "T1"}, {"rois", "T1"}, {"batch_indices", "T2"}},
    .outputs = {{"Y", "T1"}},
    .types = {{"T1", kFloats}, {"T2", kInt64}},
    .attrs = {attr_s("coordinate_transformation_mode", "half_pixel",
                     "half_pixel|output_half_pixel"),
              attr_s("mode", "avg", "avg|max"), attr_i("output_height", 1),
              attr_i("output_width", 1), attr_i("sampling_ratio", 0), attr_f("spatial_scale", 1)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::all_inputs},
    .onnx = {.since = 16, .older = {{10, from_10}}, .lower = lowered},
    .samples = samples,
};

}  // namespace tenon::op
