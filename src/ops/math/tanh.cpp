// Tanh: the hyperbolic tangent.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor& y = ctx.output(0);
  return {ctx.grad() * (1 - y * y)};
}

void samples(Samples& s) { elementwise::unary_samples(s, -2, 2); }

}  // namespace

constinit const OpDef Tanh{
    .name = "Tanh",
    .doc = "The hyperbolic tangent, in [-1, 1].",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::output(0)},
    .onnx = {.since = 6, .older = {{1, upgrade::as_is}}},
    .quant = QuantRole::compute,
    .samples = samples,
};

}  // namespace tenon::op
