// Acosh: the inverse hyperbolic cosine.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  return {ctx.grad() / Sqrt(x * x - 1)};
}

void samples(Samples& s) { elementwise::unary_samples(s, 1.3, 3); }

}  // namespace

constinit const OpDef Acosh{
    .name = "Acosh",
    .doc = "The inverse of the hyperbolic cosine, from 0 up; NaN below 1.",
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
