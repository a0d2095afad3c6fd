// QLinearLeakyRelu: LeakyRelu of a quantised tensor, quantised again.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/quantized_rules.h"
#include "ops/quant/byte_args.h"
#include "ops/quant/integer_rules.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  microsoft::check_singles(ctx, {1, 2, 3, 4});
  ctx.output(0, ctx.dims(0));
}

TensorList expand(const ExpandContext& ctx) {
  const auto input = [&](size_t i) { return ctx.has_input(i) ? ctx.input(i) : Tensor(); };
  const Tensor y =
      LeakyRelu(microsoft::dequantized(input(0), input(1), input(2)), {{"alpha", ctx.f("alpha")}});
  return {microsoft::quantized(y, input(3), input(4), input(0).dtype())};
}

void samples(Samples& s) {
  const Arg scale = arg::range({}, 0.01, 0.05), y_scale = arg::range({}, 0.01, 0.05);
  s.add({arg::u8({3, 7}), scale, arg::u8({}), y_scale, arg::u8({})}, {{"alpha", 0.3}});
  s.add({arg::i8({100}), scale, arg::i8({1}), y_scale, arg::i8({})});
  s.add({arg::u8({2, 3}), scale, arg::none(), arg::range({1}, 0.01, 0.05)});
  s.add({arg::u8({0}), scale, arg::none(), y_scale});
  s.bad({arg::u8({3}), arg::range({3}, 1, 2), arg::u8({}), y_scale}, {},
        "X_scale is f32[3]; it must have one element");
  s.bad({arg::u8({3}), scale, arg::i8({}), y_scale}, {}, "cast one so that both have one type");
}

}  // namespace

constinit const OpDef QLinearLeakyRelu{
    .name = "QLinearLeakyRelu",
    .doc = "LeakyRelu of the quantised X, quantised by Y_scale and Y_zero_point.",
    .inputs = {{"X", "T"},
               {"X_scale", "F"},
               optional("X_zero_point", "T"),
               {"Y_scale", "F"},
               optional("Y_zero_point", "T")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", integer_rules::kBytes}, {"F", kFloat32}},
    .attrs = {attr_f("alpha", 0.01)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("it is defined on integers"),
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
