// Conv: cross-correlation of images with weights, any number of spatial axes.
#include "ops/nn/catalog.h"
#include "ops/nn/conv_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& w = ctx.dims(1);
  conv_rules::check_ranks(ctx, 0, "X", 1);
  conv_rules::check_groups(ctx, "maps", w[0]);
  conv_rules::check_channels(ctx, 0, "X", w[1] * Dim(ctx.i("group")));
  conv_rules::check_kernel(ctx, 1);
  conv_rules::check_bias(ctx, 2, w[0]);
  const Dims& x = ctx.dims(0);
  Dims y{x[0], w[0]};
  for (Dim& size : WindowAttrs(ctx, x.size() - 2).output(spatial_dims(x), spatial_dims(w)))
    y.push_back(std::move(size));
  ctx.output(0, std::move(y));
}

TensorList grad(const GradContext& ctx) {
  const Windows windows = resolve_windows(ctx, known_spatial("Conv", "W", ctx.dims(1)),
                                          known_spatial("Conv", "X", ctx.dims(0)));
  const Attrs attrs = conv_rules::explicit_attrs(windows, ctx.i("group"));
  const Tensor dy = ctx.grad();
  TensorList grads = ctx.none();
  if (ctx.needs(0))
    grads[0] = ConvInputGrad(dy, ctx.input(1), attrs.with({"input_spatial", windows.input}));
  if (ctx.needs(1)) grads[1] = ConvWeightGrad(ctx.input(0), dy, attrs);
  if (ctx.has_input(2) && ctx.needs(2)) grads[2] = conv_rules::channel_sum(dy);
  return grads;
}

double flops(const InferContext& ctx) {
  return conv_rules::flops(ctx.outputs()[0].dims, ctx.dims(1));
}

void samples(Samples& s) {
  s.add({arg::any({2, 3, 5, 4}), arg::any({4, 3, 3, 3}), arg::any({4})}, {{"pads", {1, 1, 1, 1}}});
  s.add({arg::any({1, 2, 7}), arg::any({3, 2, 3})}, {{"strides", {2}}, {"dilations", {2}}});
  s.add({arg::any({1, 4, 5, 6}), arg::any({6, 2, 2, 3})},
        {{"group", 2}, {"pads", {0, 1, 1, 2}}, {"strides", {2, 1}}});
  s.add({arg::any({2, 3, 4, 4}), arg::any({3, 1, 3, 3}), arg::any({3})},
        {{"group", 3}, {"kernel_shape", {3, 3}}});
  s.add({arg::any({1, 2, 3, 4, 3}), arg::any({2, 2, 2, 2, 2})}, {{"pads", {0, 1, 0, 1, 0, 1}}});
  s.add({arg::any({1, 2, 3, 4, 5}), arg::any({4, 1, 2, 1, 2}), arg::any({4})},
        {{"group", 2},
         {"dilations", {1, 1, 3}},
         {"strides", {2, 1, 1}},
         {"pads", {1, 0, 1, 0, 0, 1}}});
  s.add({arg::any({2, 4, 6}), arg::any({4, 1, 3})},
        {{"group", 4}, {"dilations", {2}}, {"pads", {4, 0}}});
  s.add({arg::any({1, 1, 5, 6}), arg::any({1, 1, 2, 3})},
        {{"auto_pad", "SAME_UPPER"}, {"strides", {2, 3}}});
  s.add({arg::any({1, 1, 6, 5}), arg::any({2, 1, 4, 2})}, {{"auto_pad", "SAME_LOWER"}});
  s.add({arg::any({1, 1, 5, 5}), arg::any({1, 1, 2, 2})},
        {{"auto_pad", "VALID"}, {"strides", {2, 2}}});
  s.add({arg::any({0, 2, 4, 4}), arg::any({3, 2, 3, 3}), arg::any({3})});
  s.add({arg::any({1, 3, 2, 2}), arg::any({5, 3, 1, 1}), arg::any({5})});
  s.bad({arg::any({3, 5}), arg::any({4, 3, 3})}, {},
        "Conv: X is f32[3, 5]; it takes [N, C, spatial...]");
  s.bad({arg::any({1, 3, 5, 5}), arg::any({4, 3, 3})}, {}, "both must have the same rank");
  s.bad({arg::any({1, 3, 5, 5}), arg::any({4, 2, 3, 3})}, {},
        "with group 1 the weights want 2 channels");
  s.bad({arg::any({1, 4, 5, 5}), arg::any({3, 2, 3, 3})}, {{"group", 2}},
        "3 maps cannot be divided into 2 groups");
  s.bad({arg::any({1, 3, 5, 5}), arg::any({4, 3, 3, 3})}, {{"group", 0}},
        "group is 0; it must be at least 1");
  s.bad({arg::any({1, 3, 5, 5}), arg::any({4, 3, 3, 3}), arg::any({3})}, {},
        "B is f32[3]; it must have shape [4]");
  s.bad({arg::any({1, 3, 5, 5}), arg::any({4, 3, 3, 3})}, {{"kernel_shape", {3, 2}}},
        "kernel_shape is [3, 2]");
  s.bad({arg::any({1, 3, 5, 5}), arg::any({4, 3, 3, 3})}, {{"strides", {2}}},
        "strides has 1 entries");
  s.bad({arg::any({1, 3, 5, 5}), arg::any({4, 3, 3, 3})}, {{"strides", {0, 1}}},
        "every entry must be at least 1");
  s.bad({arg::any({1, 3, 5, 5}), arg::any({4, 3, 3, 3})}, {{"pads", {1, 1, 1, -1}}},
        "every entry must be at least 0");
  s.bad({arg::any({1, 3, 5, 5}), arg::any({4, 3, 6, 3})}, {},
        "a window of 6 elements does not fit");
  s.bad({arg::any({1, 3, 5, 5}), arg::any({4, 3, 3, 3})}, {{"auto_pad", "SAME"}},
        "use one of NOTSET, SAME_UPPER");
}

}  // namespace

constinit const OpDef Conv{
    .name = "Conv",
    .doc =
        "Convolution (cross-correlation) of X [N, C, spatial...] with W [M, C/group, kernel...].",
    .inputs = {{"X", "T"}, {"W", "T"}, optional("B", "T")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_s("auto_pad", "NOTSET", "NOTSET|SAME_UPPER|SAME_LOWER|VALID"),
              attr("dilations", AttrType::ints), attr_i("group", 1),
              attr("kernel_shape", AttrType::ints), attr("pads", AttrType::ints),
              attr("strides", AttrType::ints)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(0) | saves::input(1)},
    .onnx = {.since = 1},
    .quant = QuantRole::weighted,
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
