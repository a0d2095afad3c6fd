// ConvTranspose: the transpose of Conv, from maps to images.
#include "ops/nn/catalog.h"
#include "ops/nn/conv_rules.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& w = ctx.dims(1);
  conv_rules::check_ranks(ctx, 0, "X", 1);
  conv_rules::check_groups(ctx, "channels", w[0]);
  conv_rules::check_channels(ctx, 0, "X", w[0]);
  conv_rules::check_kernel(ctx, 1);
  const Dim maps = w[1] * Dim(ctx.i("group"));
  conv_rules::check_bias(ctx, 2, maps);
  Dims y{ctx.dims(0)[0], maps};
  for (Dim& size : conv_rules::transpose_output(ctx, spatial_dims(ctx.dims(0)), spatial_dims(w)))
    y.push_back(std::move(size));
  ctx.output(0, std::move(y));
}

// Y is the image and X the maps of a Conv with the same weights. Elements of Y past the last window
// take the bias alone; without them dY is an image with exactly X's windows.
TensorList grad(const GradContext& ctx) {
  Windows windows =
      conv_rules::resolve_transpose(ctx, known_spatial("ConvTranspose", "W", ctx.dims(1)),
                                    known_spatial("ConvTranspose", "X", ctx.dims(0)));
  const Tensor dy = ctx.grad();
  TensorList grads = ctx.none();
  if (ctx.has_input(2) && ctx.needs(2)) grads[2] = conv_rules::channel_sum(dy);

  tenon::Shape starts, ends, axes;  // op::Shape is an operator
  for (size_t i = 0; i < windows.rank(); ++i) {
    if (windows.pads_end[i] >= 0) continue;
    windows.input[i] += windows.pads_end[i];
    windows.pads_end[i] = 0;
    starts.push_back(0);
    ends.push_back(windows.input[i]);
    axes.push_back(static_cast<int64_t>(i) + 2);
  }
  const Tensor seen =
      axes.empty() ? dy : Slice(dy, Tensor::ints(starts), Tensor::ints(ends), Tensor::ints(axes));
  const Attrs attrs = conv_rules::explicit_attrs(windows, ctx.i("group"));
  if (ctx.needs(0)) grads[0] = Conv(seen, ctx.input(1), attrs);
  if (ctx.needs(1)) grads[1] = ConvWeightGrad(seen, ctx.input(0), attrs);
  return grads;
}

double flops(const InferContext& ctx) { return conv_rules::flops(ctx.dims(0), ctx.dims(1)); }

void samples(Samples& s) {
  s.add({arg::any({1, 2, 3, 3}), arg::any({2, 3, 3, 3}), arg::any({3})});
  s.add({arg::any({2, 2, 4}), arg::any({2, 1, 3})}, {{"strides", {2}}, {"output_padding", {1}}});
  s.add({arg::any({1, 4, 3, 2}), arg::any({4, 3, 2, 3}), arg::any({6})},
        {{"group", 2}, {"strides", {3, 2}}, {"pads", {1, 0, 0, 2}}});
  s.add({arg::any({1, 1, 3, 3}), arg::any({1, 2, 2, 2})},
        {{"dilations", {2, 2}}, {"output_padding", {1, 1}}});
  s.add({arg::any({1, 1, 3, 3}), arg::any({1, 2, 3, 3})},
        {{"strides", {3, 2}}, {"output_shape", {10, 8}}});
  s.add({arg::any({1, 1, 3, 3}), arg::any({1, 1, 4, 3})},
        {{"strides", {2, 2}}, {"output_shape", {5, 6}}});
  s.add({arg::any({1, 1, 3, 3}), arg::any({1, 2, 3, 3})},
        {{"auto_pad", "SAME_UPPER"}, {"strides", {2, 2}}});
  s.add({arg::any({1, 1, 3, 3}), arg::any({1, 2, 3, 2})},
        {{"auto_pad", "SAME_LOWER"}, {"strides", {2, 3}}});
  s.add({arg::any({1, 1, 2, 3, 2}), arg::any({1, 2, 2, 2, 2})}, {{"strides", {2, 1, 2}}});
  s.add({arg::any({1, 4, 3}), arg::any({4, 1, 3}), arg::any({2})}, {{"group", 2},
                                                                    {"strides", {3}},
                                                                    {"dilations", {2}},
                                                                    {"pads", {1, 0}},
                                                                    {"output_padding", {2}}});
  s.add({arg::any({1, 2, 2, 1, 2}), arg::any({2, 1, 2, 2, 1})}, {{"group", 2},
                                                                 {"dilations", {1, 2, 1}},
                                                                 {"strides", {2, 1, 2}},
                                                                 {"pads", {0, 1, 0, 1, 0, 0}},
                                                                 {"output_padding", {1, 0, 1}}});
  s.add({arg::any({1, 1, 2, 3}), arg::any({1, 1, 2, 2})},
        {{"auto_pad", "VALID"}, {"strides", {1, 2}}});
  s.add({arg::any({0, 2, 3, 3}), arg::any({2, 3, 3, 3})});
  s.bad({arg::any({2, 3}), arg::any({2, 3, 3})}, {}, "ConvTranspose: X is f32[2, 3]");
  s.bad({arg::any({1, 3, 3, 3}), arg::any({2, 3, 3, 3})}, {}, "the weights want 2 channels");
  s.bad({arg::any({1, 3, 3, 3}), arg::any({3, 3, 3, 3})}, {{"group", 2}},
        "3 channels cannot be divided");
  s.bad({arg::any({1, 2, 3, 3}), arg::any({2, 3, 3, 3}), arg::any({2})}, {},
        "B is f32[2]; it must have shape [3]");
  s.bad({arg::any({1, 2, 3, 3}), arg::any({2, 3, 3, 3})},
        {{"strides", {2, 2}}, {"output_padding", {2, 0}}},
        "output_padding 2 of spatial axis 0 must be smaller");
  s.bad({arg::any({1, 2, 3, 3}), arg::any({2, 3, 3, 3})}, {{"output_shape", {5}}},
        "give the 2 spatial sizes");
  s.bad({arg::any({1, 2, 1, 1}), arg::any({2, 3, 1, 1})}, {{"pads", {1, 0, 0, 0}}},
        "gives no output");
}

}  // namespace

constinit const OpDef ConvTranspose{
    .name = "ConvTranspose",
    .doc = "Transposed convolution of X [N, C, spatial...] with W [C, M/group, kernel...].",
    .inputs = {{"X", "T"}, {"W", "T"}, optional("B", "T")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_s("auto_pad", "NOTSET", "NOTSET|SAME_UPPER|SAME_LOWER|VALID"),
              attr("dilations", AttrType::ints), attr_i("group", 1),
              attr("kernel_shape", AttrType::ints), attr("output_padding", AttrType::ints),
              attr("output_shape", AttrType::ints), attr("pads", AttrType::ints),
              attr("strides", AttrType::ints)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(0) | saves::input(1)},
    .onnx = {.since = 1},
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
