// ConvWeightGrad: the gradient of Conv with respect to its weights.
#include "ops/nn/catalog.h"
#include "ops/nn/conv_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  conv_rules::check_ranks(ctx, 0, "X", 1);
  const Dims& x = ctx.dims(0);
  const Dims& dy = ctx.dims(1);
  conv_rules::check_groups(ctx, "channels", x[1]);
  conv_rules::check_groups(ctx, "maps", dy[1]);
  ctx.check(!differ(x[0], dy[0]), "X is {} and dY is {}; both must have the same batch size",
            ctx.str(0), ctx.str(1));
  const auto kernel = ctx.ints("kernel_shape");
  ctx.check(kernel.size() == x.size() - 2,
            "kernel_shape has {} entries, but X is {}; give one a spatial axis", kernel.size(),
            ctx.str(0));
  const Dims sizes(kernel.begin(), kernel.end());
  conv_rules::check_windows(ctx, 1, spatial_dims(x), sizes);
  Dims dw{dy[1], x[1].floor_div(ctx.i("group"))};
  dw.insert(dw.end(), sizes.begin(), sizes.end());
  ctx.output(0, std::move(dw));
}

// dW is linear in X and in dY, so its derivatives are the other two members of the family.
TensorList grad(const GradContext& ctx) {
  const Windows windows = resolve_windows(ctx, Shape(ctx.ints("kernel_shape")),
                                          known_spatial("ConvWeightGrad", "X", ctx.dims(0)));
  const Attrs attrs = conv_rules::explicit_attrs(windows, ctx.i("group"));
  TensorList grads = ctx.none();
  if (ctx.needs(0))
    grads[0] =
        ConvInputGrad(ctx.input(1), ctx.grad(), attrs.with({"input_spatial", windows.input}));
  if (ctx.needs(1)) grads[1] = Conv(ctx.input(0), ctx.grad(), attrs);
  return grads;
}

double flops(const InferContext& ctx) {
  return conv_rules::flops(ctx.dims(1), ctx.outputs()[0].dims);
}

void samples(Samples& s) {
  s.add({arg::any({2, 3, 5, 4}), arg::any({2, 4, 5, 4})},
        {{"pads", {1, 1, 1, 1}}, {"kernel_shape", {3, 3}}});
  s.add({arg::any({1, 2, 8}), arg::any({1, 3, 2})},
        {{"strides", {2}}, {"dilations", {2}}, {"kernel_shape", {3}}});
  s.add({arg::any({1, 4, 5, 6}), arg::any({1, 6, 3, 7})},
        {{"group", 2}, {"pads", {0, 1, 1, 2}}, {"strides", {2, 1}}, {"kernel_shape", {2, 3}}});
  s.add({arg::any({0, 2, 4, 4}), arg::any({0, 3, 2, 2})}, {{"kernel_shape", {3, 3}}});
  s.bad({arg::any({2, 3, 5, 4}), arg::any({2, 4, 3, 2})}, {}, "attribute kernel_shape is missing");
  s.bad({arg::any({2, 3, 5, 4}), arg::any({2, 4, 3, 2})}, {{"kernel_shape", {3}}},
        "kernel_shape has 1 entries");
  s.bad({arg::any({2, 3, 5, 4}), arg::any({2, 4, 5, 4})}, {{"kernel_shape", {3, 3}}},
        "gives [3, 2]");
  s.bad({arg::any({2, 3, 5, 4}), arg::any({1, 4, 3, 2})}, {{"kernel_shape", {3, 3}}},
        "the same batch size");
  s.bad({arg::any({2, 3, 5, 4}), arg::any({2, 4, 3, 2})}, {{"kernel_shape", {3, 3}}, {"group", 2}},
        "3 channels cannot be divided into 2 groups");
}

}  // namespace

constinit const OpDef ConvWeightGrad{
    .name = "ConvWeightGrad",
    .doc = "d(loss)/dW of Conv from X and dY; kernel_shape are the spatial sizes of W.",
    .inputs = {{"X", "T"}, {"dY", "T"}},
    .outputs = {{"dW", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr("dilations", AttrType::ints), attr_i("group", 1),
              required("kernel_shape", AttrType::ints), attr("pads", AttrType::ints),
              attr("strides", AttrType::ints)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::all_inputs},
    .onnx = no_onnx("a gradient; graphs that are exported have none"),
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
