// Selu: a scaled Elu that keeps activations normalised.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

// Opset 1 had the same constants with four decimals.
TensorList upgrade_rounded(const OnnxNode& node) {
  Attrs attrs = node.attrs.without("consumed_inputs");
  if (!attrs.has("alpha")) attrs = attrs.with({"alpha", 1.6732});
  if (!attrs.has("gamma")) attrs = attrs.with({"gamma", 1.0507});
  return Selu.all(node.inputs, attrs);
}

TensorList grad(const GradContext& ctx) {
  // As in Elu, the exponent is bounded where it is not taken.
  const Tensor& x = ctx.input(0);
  const Tensor below = Exp(Min(x, constant_like(x, 0))) * ctx.f("alpha");
  const Tensor g = ctx.grad() * ctx.f("gamma");
  return {Where(Greater(x, constant_like(x, 0)), g, g * below)};
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor below = (Exp(Min(x, constant_like(x, 0))) - 1) * ctx.f("alpha");
  return {Where(Greater(x, constant_like(x, 0)), x, below) * ctx.f("gamma")};
}

void samples(Samples& s) {
  elementwise::kinked_samples(s, 0);
  s.add({arg::range({3}, -2, -0.2)}, {{"alpha", 1.0}, {"gamma", 3.0}});
}

}  // namespace

constinit const OpDef Selu{
    .name = "Selu",
    .doc = "gamma * x where x is above 0, else gamma * alpha * (e^x - 1).",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_f("alpha", 1.67326319217681884765625),
              attr_f("gamma", 1.05070102214813232421875)},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 6, .older = {{1, upgrade_rounded}}},
    .samples = samples,
};

}  // namespace tenon::op
