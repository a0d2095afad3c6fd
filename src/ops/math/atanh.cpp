// Atanh: the inverse hyperbolic tangent.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  return {ctx.grad() / (1 - x * x)};
}

void samples(Samples& s) { elementwise::unary_samples(s, -0.8, 0.8); }

}  // namespace

constinit const OpDef Atanh{
    .name = "Atanh",
    .doc = "The inverse of the hyperbolic tangent; NaN outside [-1, 1].",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 9},
    .samples = samples,
};

}  // namespace tenon::op
