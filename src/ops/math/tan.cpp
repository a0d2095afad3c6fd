// Tan: the tangent.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor& y = ctx.output(0);
  return {ctx.grad() * (y * y + 1)};
}

void samples(Samples& s) { elementwise::unary_samples(s, -1.2, 1.2); }

}  // namespace

constinit const OpDef Tan{
    .name = "Tan",
    .doc = "The tangent of x radians.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::output(0)},
    .onnx = {.since = 7},
    .samples = samples,
};

}  // namespace tenon::op
