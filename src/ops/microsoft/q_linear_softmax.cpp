// QLinearSoftmax: Softmax of a quantised tensor, quantised again.
#include "ops/grad.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/quantized_rules.h"
#include "ops/nn/catalog.h"
#include "ops/quant/byte_args.h"
#include "ops/quant/integer_rules.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

// Before opset 13 Softmax took all axes from `axis` on together, 1 unless said otherwise.
constexpr int64_t kOneAxisSince = 13;

int64_t axis_of(const Call& call) {
  if (call.has("axis")) return call.i("axis");
  return call.i("opset") < kOneAxisSince ? 1 : -1;
}

void infer(InferContext& ctx) {
  microsoft::check_singles(ctx, {1, 2, 3, 4});
  ctx.check(ctx.i("opset") >= 1, "opset is {}; give the opset of the Softmax it stands for",
            ctx.i("opset"));
  if (ctx.rank(0) > 0) ctx.axis(axis_of(ctx), ctx.rank(0));
  ctx.output(0, ctx.dims(0));
}

TensorList expand(const ExpandContext& ctx) {
  const auto input = [&](size_t i) { return ctx.has_input(i) ? ctx.input(i) : Tensor(); };
  const Tensor x = microsoft::dequantized(input(0), input(1), input(2));
  const int64_t axis = axis_of(ctx);
  Tensor y;
  if (ctx.i("opset") >= kOneAxisSince)
    y = Softmax(x, {{"axis", axis}});
  else
    y = reshape_to(Softmax(Flatten(x, {{"axis", axis}}), {{"axis", -1}}), x.dims(), x);
  return {microsoft::quantized(y, input(3), input(4), input(0).dtype())};
}

void samples(Samples& s) {
  const Arg scale = arg::range({}, 0.01, 0.05), y_scale = arg::range({}, 0.004, 0.005);
  s.add({arg::u8({3, 7}), scale, arg::u8({}), y_scale, arg::u8({})}, {{"opset", 13}});
  s.add({arg::i8({2, 3, 4}), scale, arg::i8({1}), y_scale, arg::i8({})},
        {{"opset", 13}, {"axis", 1}});
  s.add({arg::u8({2, 3, 4}), scale, arg::none(), y_scale, arg::u8({})}, {{"opset", 11}});
  s.add({arg::u8({2, 3, 4}), scale, arg::u8({}), y_scale, arg::u8({})},
        {{"opset", 12}, {"axis", -1}});
  s.bad({arg::u8({3, 4}), scale, arg::u8({}), y_scale, arg::u8({})}, {{"opset", 13}, {"axis", 2}},
        "axis 2");
  s.bad({arg::u8({3}), arg::range({3}, 1, 2), arg::u8({}), y_scale, arg::u8({})}, {{"opset", 13}},
        "X_scale is f32[3]; it must have one element");
  s.bad({arg::u8({3}), scale, arg::u8({}), y_scale, arg::u8({})}, {}, "attribute opset is missing");
}

}  // namespace

constinit const OpDef QLinearSoftmax{
    .name = "QLinearSoftmax",
    .doc =
        "Softmax of the quantised X as that of the opset given, quantised by y_scale and "
        "y_zero_point.",
    .inputs = {{"X", "T"},
               {"X_scale", "F"},
               optional("x_zero_point", "T"),
               {"y_scale", "F"},
               {"y_zero_point", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", integer_rules::kBytes}, {"F", kFloat32}},
    .attrs = {attr("axis", AttrType::i), required("opset", AttrType::i)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("it is defined on integers"),
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
