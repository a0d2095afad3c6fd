// Mish: x * tanh(softplus(x)).
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor t = Tanh(Softplus(x));
  return {ctx.grad() * (t + x * (1 - t * t) * Sigmoid(x))};
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  return {x * Tanh(Softplus(x))};
}

void samples(Samples& s) { elementwise::unary_samples(s, -3, 3); }

}  // namespace

constinit const OpDef Mish{
    .name = "Mish",
    .doc = "x * tanh(ln(1 + e^x)).",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 18},
    .samples = samples,
};

}  // namespace tenon::op
