// QLinearGlobalAveragePool: the mean of each channel of a quantised image, quantised again.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/quantized_rules.h"
#include "ops/quant/byte_args.h"
#include "ops/quant/integer_rules.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

// The spatial axes of an input.
tenon::Shape pooled_axes(const Call& call, size_t rank) {
  const size_t first = call.i("channels_last") ? 1 : 2;
  tenon::Shape axes;
  for (size_t i = 0; i + 2 < rank; ++i) axes.push_back(static_cast<int64_t>(first + i));
  return axes;
}

void infer(InferContext& ctx) {
  microsoft::check_singles(ctx, {1, 2, 3, 4});
  ctx.check(ctx.rank(0) >= 3,
            "X is {}; it takes a batch and channels, and one spatial axis or more", ctx.str(0));
  Dims y = ctx.dims(0);
  for (int64_t axis : pooled_axes(ctx, y.size())) {
    Dim& size = y[static_cast<size_t>(axis)];
    ctx.check(size != Dim(0),
              "X is {}; it has nothing to pool, give it at least one element an axis", ctx.str(0));
    size = 1;
  }
  ctx.output(0, std::move(y));
}

// The sum is exact (in f32 up to 65793 elements of a channel) and scaled once.
TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const tenon::Shape axes = pooled_axes(ctx, x.rank());
  const Tensor whole = x.to(DType::f32) - microsoft::zero_point_of(ctx.input(2));
  const Tensor sum = whole.sum(axes, true);
  Dim count = 1;
  for (int64_t axis : axes) count = count * x.dims()[static_cast<size_t>(axis)];
  Tensor elements;
  if (count.is_const())
    elements = Tensor::scalar(static_cast<double>(count.value()));
  else
    elements = Size(x).to(DType::f32) / Size(sum).to(DType::f32);
  const Tensor scale =
      microsoft::scalar_of(ctx.input(1)) / (microsoft::scalar_of(ctx.input(3)) * elements);
  return {microsoft::rounded(sum * scale, ctx.input(4), x.dtype())};
}

void samples(Samples& s) {
  const Arg scale = arg::range({}, 0.01, 0.05), y_scale = arg::range({}, 0.01, 0.05);
  s.add({arg::u8({2, 3, 5, 6}), scale, arg::u8({}), y_scale, arg::u8({})});
  s.add({arg::i8({2, 5, 6, 3}), scale, arg::i8({}), y_scale, arg::i8({1})}, {{"channels_last", 1}});
  s.add({arg::u8({1, 4, 7}), scale, arg::u8({}), y_scale, arg::u8({})});
  s.bad({arg::u8({2, 4}), scale, arg::u8({}), y_scale, arg::u8({})}, {},
        "X is u8[2, 4]; it takes a batch and channels");
  s.bad({arg::u8({2, 4, 0}), scale, arg::u8({}), y_scale, arg::u8({})}, {},
        "it has nothing to pool");
  s.bad({arg::u8({1, 2, 4}), scale, arg::u8({2}), y_scale, arg::u8({})}, {},
        "x_zero_point is u8[2]; it must have one element");
}

}  // namespace

constinit const OpDef QLinearGlobalAveragePool{
    .name = "QLinearGlobalAveragePool",
    .doc =
        "The mean of each channel of the quantised X, whose channels may be its last axis, "
        "quantised by y_scale and y_zero_point.",
    .inputs = {{"X", "T"},
               {"x_scale", "F"},
               {"x_zero_point", "T"},
               {"y_scale", "F"},
               {"y_zero_point", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", integer_rules::kBytes}, {"F", kFloat32}},
    .attrs = {attr_i("channels_last", 0)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("it is defined on integers"),
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
