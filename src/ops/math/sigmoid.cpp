// Sigmoid: 1 / (1 + e^-x).
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor& y = ctx.output(0);
  return {ctx.grad() * y * (1 - y)};
}

void samples(Samples& s) { elementwise::unary_samples(s, -3, 3); }

}  // namespace

constinit const OpDef Sigmoid{
    .name = "Sigmoid",
    .doc = "The logistic function, 1 / (1 + e^-x).",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::output(0)},
    .onnx = {.since = 6, .older = {{1, upgrade::as_is}}},
    .quant = QuantRole::compute,
    .samples = samples,
};

}  // namespace tenon::op
