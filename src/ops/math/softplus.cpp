// Softplus: ln(1 + e^x).
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) { return {ctx.grad() * Sigmoid(ctx.input(0))}; }

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  return {Max(x, constant_like(x, 0)) + Log(Exp(-Abs(x)) + 1)};
}

void samples(Samples& s) {
  elementwise::unary_samples(s, -3, 3);
  s.add({arg::fixed(Tensor::from<float>({-200, 200}, {2}))}).grad = false;
}

}  // namespace

constinit const OpDef Softplus{
    .name = "Softplus",
    .doc = "ln(1 + e^x), without overflow.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 1},
    .samples = samples,
};

}  // namespace tenon::op
