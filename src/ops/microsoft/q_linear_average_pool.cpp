// QLinearAveragePool: AveragePool of a quantised image, quantised again.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/quantized_rules.h"
#include "ops/nn/catalog.h"
#include "ops/nn/pool_rules.h"
#include "ops/quant/byte_args.h"
#include "ops/quant/integer_rules.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  microsoft::check_singles(ctx, {1, 2, 3, 4});
  const bool last = ctx.i("channels_last") != 0;
  ctx.check(ctx.rank(0) >= 3,
            "X is {}; it takes a batch and channels, and one spatial axis or more", ctx.str(0));
  const Dims x = last ? microsoft::channels_second(ctx.dims(0)) : ctx.dims(0);
  const size_t spatial = pool_rules::check(ctx, x, "X");
  const auto kernel = ctx.ints("kernel_shape");
  Dims y{x[0], x[1]};
  for (Dim& size :
       WindowAttrs(ctx, spatial).output(spatial_dims(x), {kernel.begin(), kernel.end()}))
    y.push_back(std::move(size));
  ctx.output(0, last ? microsoft::channels_last(y) : y);
}

// The output's zero point is added before rounding.
TensorList expand(const ExpandContext& ctx) {
  const auto input = [&](size_t i) { return ctx.has_input(i) ? ctx.input(i) : Tensor(); };
  const bool last = ctx.i("channels_last") != 0;
  Tensor x = microsoft::dequantized(input(0), input(1), input(2));
  if (last) x = microsoft::channels_second(x);
  Tensor y = AveragePool(x, ctx.attrs.without("channels_last"));
  if (last) y = microsoft::channels_last(y);
  y = y / microsoft::scalar_of(input(3)) + microsoft::zero_point_of(input(4));
  return {microsoft::rounded(y, {}, input(0).dtype())};
}

void samples(Samples& s) {
  const Arg scale = arg::range({}, 0.01, 0.05), y_scale = arg::range({}, 0.01, 0.05);
  s.add({arg::u8({1, 2, 5, 6}), scale, arg::u8({}), y_scale, arg::u8({})},
        {{"kernel_shape", {2, 2}}, {"strides", {2, 2}}});
  s.add({arg::i8({1, 7, 3}), scale, arg::i8({}), y_scale, arg::i8({})},
        {{"kernel_shape", {3}}, {"pads", {1, 1}}, {"channels_last", 1}, {"count_include_pad", 1}});
  s.add({arg::u8({1, 2, 6, 6}), scale, arg::none(), y_scale},
        {{"kernel_shape", {3, 3}}, {"strides", {2, 2}}, {"ceil_mode", 1}});
  s.add({arg::u8({1, 1, 5, 5}), scale, arg::u8({}), y_scale, arg::u8({})},
        {{"kernel_shape", {2, 3}}, {"auto_pad", "SAME_UPPER"}, {"strides", {2, 2}}});
  s.bad({arg::u8({2, 4}), scale, arg::u8({}), y_scale}, {{"kernel_shape", {2}}},
        "X is u8[2, 4]; it takes a batch and channels");
  s.bad({arg::u8({1, 2, 4, 4}), scale, arg::u8({}), y_scale}, {{"kernel_shape", {5, 2}}},
        "a window of 5 elements does not fit");
  s.bad({arg::u8({1, 2, 4, 4}), scale, arg::u8({}), arg::range({2}, 1, 2)},
        {{"kernel_shape", {2, 2}}}, "y_scale is f32[2]; it must have one element");
}

}  // namespace

constinit const OpDef QLinearAveragePool{
    .name = "QLinearAveragePool",
    .doc =
        "AveragePool of the quantised X, whose channels may be its last axis, quantised by "
        "y_scale and y_zero_point.",
    .inputs = {{"X", "T"},
               {"x_scale", "F"},
               optional("x_zero_point", "T"),
               {"y_scale", "F"},
               optional("y_zero_point", "T")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", integer_rules::kBytes}, {"F", kFloat32}},
    .attrs = {attr_s("auto_pad", "NOTSET", "NOTSET|SAME_UPPER|SAME_LOWER|VALID"),
              attr_i("ceil_mode", 0), attr_i("channels_last", 0), attr_i("count_include_pad", 0),
              required("kernel_shape", AttrType::ints), attr("pads", AttrType::ints),
              attr("strides", AttrType::ints)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("it is defined on integers"),
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
