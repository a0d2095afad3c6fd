// ConvInteger: the convolution of 8-bit integers, summed in 32 bits.
#include "ops/nn/conv_rules.h"
#include "ops/quant/byte_args.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  conv_rules::check_ranks(ctx, 0, "x", 1);
  const Dims &x = ctx.dims(0), &w = ctx.dims(1);
  conv_rules::check_groups(ctx, "maps", w[0]);
  conv_rules::check_channels(ctx, 0, "x", w[1] * Dim(ctx.i("group")));
  conv_rules::check_kernel(ctx, 1);
  integer_rules::check_single(ctx, 2);
  integer_rules::check_each(ctx, 3, w[0], "maps");
  Dims y{x[0], w[0]};
  for (Dim& size : WindowAttrs(ctx, x.size() - 2).output(spatial_dims(x), spatial_dims(w)))
    y.push_back(std::move(size));
  ctx.output(0, std::move(y), DType::i32);
}

double flops(const InferContext& ctx) {
  return conv_rules::flops(ctx.outputs()[0].dims, ctx.dims(1));
}

using arg::i8;
using arg::u8;

void samples(Samples& s) {
  s.add({u8({1, 1, 3, 3}), u8({1, 1, 2, 2}), u8({})});
  s.add({u8({2, 3, 6, 9}), i8({5, 3, 3, 3}), u8({1}), i8({5})}, {{"pads", {1, 1, 1, 1}}});
  s.add({i8({1, 4, 5, 6}), u8({6, 2, 2, 3}), i8({}), u8({})},
        {{"group", 2}, {"pads", {0, 1, 1, 2}}, {"strides", {2, 1}}});
  s.add({i8({1, 2, 19}), i8({3, 2, 3})}, {{"strides", {2}}, {"dilations", {2}}});
  s.add({u8({1, 3, 5, 20}), i8({3, 1, 3, 3}), u8({})},
        {{"group", 3}, {"auto_pad", "SAME_UPPER"}, {"strides", {1, 2}}});
  s.add({u8({1, 2, 6, 5}), u8({2, 2, 4, 2}), u8({}), u8({2})}, {{"auto_pad", "SAME_LOWER"}});
  s.add({u8({1, 2, 3, 4, 3}), i8({2, 2, 2, 2, 2}), u8({})}, {{"pads", {0, 1, 0, 1, 0, 1}}});
  s.add({u8({1, 3, 2, 9}), i8({7, 3, 1, 1})});
  s.add({u8({0, 2, 4, 4}), u8({3, 2, 3, 3})});
  s.bad({u8({3, 5}), u8({4, 3, 3})}, {}, "x is u8[3, 5]; it takes [N, C, spatial...]");
  s.bad({u8({1, 3, 5, 5}), u8({4, 2, 3, 3})}, {}, "with group 1 the weights want 2 channels");
  s.bad({u8({1, 3, 5, 5}), u8({4, 3, 3, 3}), u8({3})}, {},
        "x_zero_point is u8[3]; it must have one element");
  s.bad({u8({1, 3, 5, 5}), u8({4, 3, 3, 3}), u8({}), u8({3})}, {}, "one for each of the 4 maps");
}

}  // namespace

constinit const OpDef ConvInteger{
    .name = "ConvInteger",
    .doc =
        "The convolution of x - x_zero_point with w - w_zero_point, 8-bit integers, summed in 32 "
        "bits.",
    .inputs = {{"x", "T1"},
               {"w", "T2"},
               optional("x_zero_point", "T1"),
               optional("w_zero_point", "T2")},
    .outputs = {{"y", "T3"}},
    .types = {{"T1", integer_rules::kBytes},
              {"T2", integer_rules::kBytes},
              {"T3", types(DType::i32)}},
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
