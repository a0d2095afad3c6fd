// FusedConv: a convolution with what follows it.
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/nn/catalog.h"
#include "ops/nn/conv_rules.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

microsoft::Activation activation(const Call& call) {
  const auto parameters = call.floats("activation_params");
  return {call.s("activation"), {parameters.begin(), parameters.end()}};
}

Attrs conv_attrs(const Call& call) {
  return microsoft::pick(call.attrs,
                         {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"});
}

void infer(InferContext& ctx) {
  const TensorType y =
      microsoft::like(ctx, Conv, conv_attrs(ctx), {ctx.input(0), ctx.input(1), ctx.input(2)})[0];
  if (ctx.has_input(3)) {
    bool same = ctx.rank(3) == y.dims.size();
    for (size_t i = 0; same && i < y.dims.size(); ++i) same = !differ(ctx.dims(3)[i], y.dims[i]);
    ctx.check(same, "Z is {}; it must have the shape of the convolution, {}", ctx.str(3),
              str(y.dims));
  }
  microsoft::check_activation(ctx, activation(ctx));
  ctx.output(0, y.dims);
}

double flops(const InferContext& ctx) {
  return conv_rules::flops(ctx.outputs()[0].dims, ctx.dims(1));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor bias = ctx.has_input(2) ? ctx.input(2) : Tensor();
  Tensor y = Conv(ctx.input(0), ctx.input(1), bias, conv_attrs(ctx));
  if (ctx.has_input(3)) y = y + ctx.input(3);
  return {microsoft::activate(y, activation(ctx))};
}

void samples(Samples& s) {
  const Attrs pads{{"pads", {1, 1, 1, 1}}};
  s.add({arg::any({1, 2, 4, 4}), arg::any({3, 2, 3, 3}), arg::any({3})},
        pads.with({"activation", "Tanh"}));
  s.add({arg::any({1, 2, 4, 4}), arg::any({2, 1, 2, 2}), arg::none(), arg::any({1, 2, 3, 3})},
        {{"group", 2}, {"activation", "Sigmoid"}});
  s.add({arg::any({1, 1, 5}), arg::any({1, 1, 3})});
  const auto parameters = [](std::vector<double> values) {
    return Attr("activation_params", AttrValue(std::move(values)));
  };
  s.add({arg::any({1, 1, 4, 4}), arg::any({2, 1, 2, 2}), arg::any({2})},
        Attrs{{"activation", "LeakyRelu"}}.with(parameters({0.25})))
      .grad = false;  // kinks
  s.add({arg::any({1, 1, 4, 4}), arg::any({2, 1, 2, 2}), arg::any({2})},
        Attrs{{"activation", "Clip"}}.with(parameters({-0.5, 1})))
      .grad = false;
  s.add({arg::any({1, 1, 4, 4}), arg::any({2, 1, 2, 2}), arg::any({2})},
        Attrs{{"activation", "HardSigmoid"}}.with(parameters({0.1, 0.5})))
      .grad = false;
  s.add({arg::any({1, 1, 4, 4}), arg::any({2, 1, 2, 2}), arg::any({2})}, {{"activation", "Relu"}})
      .grad = false;
  s.add({arg::any({1, 1, 4, 4}), arg::any({2, 1, 2, 2}), arg::any({2})},
        {{"activation", "HardSwish"}})
      .grad = false;
  s.add({arg::any({2, 3, 5}), arg::any({3, 1, 3}), arg::any({3}), arg::any({2, 3, 3})},
        Attrs{{"group", 3}, {"activation", "Swish"}}.with(parameters({1})));
  for (const char* smooth : {"Gelu", "GeluTanh", "Mish"})
    s.add({arg::any({1, 2, 4, 4}), arg::any({2, 2, 2, 2}), arg::none(), arg::any({1, 2, 3, 3})},
          {{"activation", smooth}});
  s.bad({arg::any({3, 5}), arg::any({4, 3, 3})}, {}, "FusedConv: X is f32[3, 5]");
  s.bad({arg::any({1, 1, 5}), arg::any({1, 1, 3})}, {{"activation", "Relo"}},
        "activation is 'Relo'; did you mean Relu?");
  s.bad({arg::any({1, 1, 5}), arg::any({1, 1, 3})},
        Attrs{{"activation", "Relu"}}.with(parameters({1})),
        "activation Relu has 0 parameters; 1 are given");
  s.bad({arg::any({1, 1, 5}), arg::any({1, 1, 3}), arg::none(), arg::any({1, 1, 5})}, {},
        "Z is f32[1, 1, 5]; it must have the shape of the convolution, [1, 1, 3]");
}

}  // namespace

constinit const OpDef FusedConv{
    .name = "FusedConv",
    .doc = "activation(Conv(X, W, B) + Z), where all but the convolution may be left out.",
    .inputs = {{"X", "T"}, {"W", "T"}, optional("B", "T"), optional("Z", "T")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_s("activation", ""), attr("activation_params", AttrType::floats),
              attr_s("auto_pad", "NOTSET", "NOTSET|SAME_UPPER|SAME_LOWER|VALID"),
              attr("dilations", AttrType::ints), attr_i("group", 1),
              attr("kernel_shape", AttrType::ints), attr("pads", AttrType::ints),
              attr("strides", AttrType::ints)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .quant = QuantRole::weighted,
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
