// RoiAlignGrad: the gradient of RoiAlign's average; each point of the lattice gives its four pixels
// their shares.
#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/image/roi_rules.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  if (!ctx.values(3)) return ctx.output(0, unknown_dims(4));
  const Dims& x = *ctx.values(3);
  const Dims y = roi::output(ctx, x, 1, 4, 2, ctx.i("output_height"), ctx.i("output_width"));
  bool same = ctx.rank(0) == 4;
  for (size_t a = 0; same && a < 4; ++a) same = !differ(ctx.dims(0)[a], y[a]);
  ctx.check(same, "dY is {}, but these regions give {}; give dY that shape", ctx.str(0), str(y));
  ctx.output(0, x);
}

TensorList grad(const GradContext& ctx) {
  TensorList out = ctx.none();
  if (ctx.needs(0)) out[0] = RoiAlign(ctx.grad(), ctx.input(1), ctx.input(2), ctx.attrs);
  return out;
}

void samples(Samples& s) {
  const Arg rois = arg::fixed(
      Tensor::from<double>({0.3, 0.2, 3.1, 2.9, -1.4, 0.5, 2.2, 5.5, 1.1, 1.3, 1.2, 1.4}, {3, 4}));
  const Arg images = arg::ints({0, 1, 1}), shape = arg::ints({2, 2, 4, 5});
  for (const char* how : {"half_pixel", "output_half_pixel"})
    s.add({arg::any({3, 2, 2, 3}), rois, images, shape},
          {{"coordinate_transformation_mode", how}, {"output_height", 2}, {"output_width", 3}});
  Sample& narrow = s.add({arg::any({3, 2, 1, 2}), arg::range({3, 4}, 0, 4), images, shape},
                         {{"output_width", 2}, {"sampling_ratio", 2}, {"spatial_scale", 0.75}});
  narrow.grad = false;
  narrow.types = types(DType::f32, DType::f64);
  s.bad({arg::any({3, 2, 1, 3}), arg::any({3, 4}), images, shape}, {{"output_height", 2}},
        "but these regions give [3, 2, 2, 1]");
}

}  // namespace

constinit const OpDef RoiAlignGrad{
    .name = "RoiAlignGrad",
    .doc =
        "d(loss)/dX of RoiAlign in mode avg from dY and X's shape, with RoiAlign's other inputs.",
    .inputs = {{"dY", "T1"}, {"rois", "T1"}, {"batch_indices", "T2"}, value("shape", "T2")},
    .outputs = {{"dX", "T1"}},
    .types = {{"T1", kFloats}, {"T2", kInt64}},
    .attrs = {attr_s("coordinate_transformation_mode", "half_pixel",
                     "half_pixel|output_half_pixel"),
              attr_i("output_height", 1), attr_i("output_width", 1), attr_i("sampling_ratio", 0),
              attr_f("spatial_scale", 1)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1) | saves::input(2)},
    .onnx = no_onnx("a gradient; graphs that are exported have none"),
    .samples = samples,
};

}  // namespace tenon::op
