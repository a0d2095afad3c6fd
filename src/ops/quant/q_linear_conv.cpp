// QLinearConv: the convolution of quantised images with quantised weights, quantised again.
#include "ops/nn/conv_rules.h"
#include "ops/quant/byte_args.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  conv_rules::check_ranks(ctx, 0, "x", 3);
  const Dims &x = ctx.dims(0), &w = ctx.dims(3);
  conv_rules::check_groups(ctx, "maps", w[0]);
  conv_rules::check_channels(ctx, 0, "x", w[1] * Dim(ctx.i("group")));
  conv_rules::check_kernel(ctx, 3);
  for (size_t at : {1, 2, 6, 7}) integer_rules::check_single(ctx, at);
  for (size_t at : {4, 5}) integer_rules::check_each(ctx, at, w[0], "maps");
  conv_rules::check_bias(ctx, 8, w[0]);
  Dims y{x[0], w[0]};
  for (Dim& size : WindowAttrs(ctx, x.size() - 2).output(spatial_dims(x), spatial_dims(w)))
    y.push_back(std::move(size));
  ctx.output(0, std::move(y));
}

double flops(const InferContext& ctx) {
  return conv_rules::flops(ctx.outputs()[0].dims, ctx.dims(3));
}

using arg::i8;
using arg::u8;
Arg scale(const Shape& shape) { return arg::range(shape, 0.01, 0.05); }
Arg bias(int64_t size) { return arg::range({size}, -20000, 20000); }

void samples(Samples& s) {
  const Arg y_scale = arg::range({}, 1, 2), one = scale({});
  s.add({u8({1, 1, 7, 7}), one, u8({}), u8({1, 1, 1, 1}), scale({1}), u8({1}),
         arg::range({}, 0.1, 0.2), u8({})});
  s.add({u8({2, 3, 6, 9}), one, u8({}), i8({5, 3, 3, 3}), scale({5}), i8({5}), y_scale, i8({}),
         bias(5)},
        {{"pads", {1, 1, 1, 1}}});
  s.add({i8({1, 4, 5, 6}), one, i8({1}), u8({6, 2, 2, 3}), one, u8({}), y_scale, u8({}), bias(6)},
        {{"group", 2}, {"pads", {0, 1, 1, 2}}, {"strides", {2, 1}}});
  s.add({i8({1, 2, 19}), one, i8({}), i8({3, 2, 3}), scale({3}), i8({}), y_scale, u8({})},
        {{"strides", {2}}, {"dilations", {2}}});
  s.add({u8({1, 3, 5, 20}), one, u8({}), i8({3, 1, 3, 3}), scale({3}), i8({3}), y_scale, u8({}),
         bias(3)},
        {{"group", 3}, {"auto_pad", "SAME_UPPER"}, {"strides", {1, 2}}});
  s.add({u8({1, 2, 6, 5}), one, u8({}), u8({2, 2, 4, 2}), one, u8({}), y_scale, i8({})},
        {{"auto_pad", "SAME_LOWER"}});
  s.add({u8({1, 2, 3, 4, 3}), one, u8({}), i8({2, 2, 2, 2, 2}), one, i8({}), y_scale, u8({})},
        {{"pads", {0, 1, 0, 1, 0, 1}}});
  s.add({u8({1, 3, 4, 9}), one, u8({}), i8({7, 3, 1, 1}), scale({7}), i8({7}), y_scale, u8({}),
         bias(7)});
  s.add({u8({0, 2, 4, 4}), one, u8({}), i8({3, 2, 3, 3}), one, i8({}), y_scale, u8({})});
  const Arg x = u8({1, 3, 5, 5}), w = i8({4, 3, 3, 3});
  s.bad({x, one, u8({}), i8({4, 2, 3, 3}), one, i8({}), one, u8({})}, {},
        "with group 1 the weights want 2 channels");
  s.bad({x, scale({3}), u8({}), w, one, i8({}), one, u8({})}, {},
        "x_scale is f32[3]; it must have one element");
  s.bad({x, one, u8({}), w, scale({3}), i8({}), one, u8({})}, {}, "one for each of the 4 maps");
  s.bad({x, one, i8({}), w, one, i8({}), one, u8({})}, {}, "cast one so that both have one type");
  s.bad({x, one, u8({}), w, one, i8({}), one, u8({}), bias(3)}, {}, "it must have shape [4]");
}

}  // namespace

constinit const OpDef QLinearConv{
    .name = "QLinearConv",
    .doc =
        "Convolution of quantised x with quantised w: the sum of products, and B, times "
        "x_scale * w_scale / y_scale, rounded to even, plus y_zero_point, saturated.",
    .inputs = {{"x", "T1"},
               {"x_scale", "F"},
               {"x_zero_point", "T1"},
               {"w", "T2"},
               {"w_scale", "F"},
               {"w_zero_point", "T2"},
               {"y_scale", "F"},
               {"y_zero_point", "T3"},
               optional("B", "T4")},
    .outputs = {{"y", "T3"}},
    .types = {{"T1", integer_rules::kBytes},
              {"T2", integer_rules::kBytes},
              {"T3", integer_rules::kBytes},
              {"T4", types(DType::i32)},
              {"F", kFloat32}},
    .attrs = {attr_s("auto_pad", "NOTSET", "NOTSET|SAME_UPPER|SAME_LOWER|VALID"),
              attr("dilations", AttrType::ints), attr_i("group", 1),
              attr("kernel_shape", AttrType::ints), attr("pads", AttrType::ints),
              attr("strides", AttrType::ints)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("it is defined on integers"),
    .onnx = {.since = 10},
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
