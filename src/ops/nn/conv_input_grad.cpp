// ConvInputGrad: the gradient of Conv with respect to its images.
#include "ops/nn/catalog.h"
#include "ops/nn/conv_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& w = ctx.dims(1);
  conv_rules::check_ranks(ctx, 0, "dY", 1);
  conv_rules::check_groups(ctx, "maps", w[0]);
  conv_rules::check_channels(ctx, 0, "dY", w[0]);
  conv_rules::check_kernel(ctx, 1);
  const auto input = ctx.ints("input_spatial");
  ctx.check(input.size() == w.size() - 2,
            "input_spatial has {} entries, but W is {}; give the {} spatial sizes of X",
            input.size(), ctx.str(1), w.size() - 2);
  const Dims spatial(input.begin(), input.end());
  conv_rules::check_windows(ctx, 0, spatial, spatial_dims(w));
  Dims dx{ctx.dims(0)[0], w[1] * Dim(ctx.i("group"))};
  dx.insert(dx.end(), spatial.begin(), spatial.end());
  ctx.output(0, std::move(dx));
}

// dX is linear in dY and in W, so its derivatives are the other two members of the family.
TensorList grad(const GradContext& ctx) {
  const Windows windows = resolve_windows(ctx, known_spatial("ConvInputGrad", "W", ctx.dims(1)),
                                          Shape(ctx.ints("input_spatial")));
  const Attrs attrs = conv_rules::explicit_attrs(windows, ctx.i("group"));
  TensorList grads = ctx.none();
  if (ctx.needs(0)) grads[0] = Conv(ctx.grad(), ctx.input(1), attrs);
  if (ctx.needs(1)) grads[1] = ConvWeightGrad(ctx.grad(), ctx.input(0), attrs);
  return grads;
}

double flops(const InferContext& ctx) { return conv_rules::flops(ctx.dims(0), ctx.dims(1)); }

void samples(Samples& s) {
  s.add({arg::any({2, 4, 5, 4}), arg::any({4, 3, 3, 3})},
        {{"pads", {1, 1, 1, 1}}, {"input_spatial", {5, 4}}});
  s.add({arg::any({1, 3, 2}), arg::any({3, 2, 3})},
        {{"strides", {2}}, {"dilations", {2}}, {"input_spatial", {8}}});
  s.add({arg::any({1, 6, 3, 7}), arg::any({6, 2, 2, 3})},
        {{"group", 2}, {"pads", {0, 1, 1, 2}}, {"strides", {2, 1}}, {"input_spatial", {5, 6}}});
  s.add({arg::any({0, 3, 2, 2}), arg::any({3, 2, 3, 3})}, {{"input_spatial", {4, 4}}});
  s.bad({arg::any({2, 4, 5, 4}), arg::any({4, 3, 3, 3})}, {}, "attribute input_spatial is missing");
  s.bad({arg::any({2, 4, 5, 4}), arg::any({4, 3, 3, 3})}, {{"input_spatial", {5}}},
        "input_spatial has 1 entries");
  s.bad({arg::any({2, 4, 5, 4}), arg::any({4, 3, 3, 3})}, {{"input_spatial", {5, 4}}},
        "gives [3, 2]");
  s.bad({arg::any({2, 3, 3, 2}), arg::any({4, 3, 3, 3})}, {{"input_spatial", {5, 4}}},
        "want 4 channels");
}

}  // namespace

constinit const OpDef ConvInputGrad{
    .name = "ConvInputGrad",
    .doc = "d(loss)/dX of Conv from dY and W; input_spatial are the spatial sizes of X.",
    .inputs = {{"dY", "T"}, {"W", "T"}},
    .outputs = {{"dX", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr("dilations", AttrType::ints), attr_i("group", 1),
              required("input_spatial", AttrType::ints), attr("kernel_shape", AttrType::ints),
              attr("pads", AttrType::ints), attr("strides", AttrType::ints)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::all_inputs},
    .onnx = no_onnx("a gradient; graphs that are exported have none"),
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
