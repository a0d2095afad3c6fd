// Erf: the error function.
#include <numbers>

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  return {ctx.grad() * Exp(-(x * x)) * (2 * std::numbers::inv_sqrtpi)};
}

void samples(Samples& s) { elementwise::unary_samples(s, -2, 2); }

}  // namespace

constinit const OpDef Erf{
    .name = "Erf",
    .doc = "The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kNumeric}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 9},
    .samples = samples,
};

}  // namespace tenon::op
