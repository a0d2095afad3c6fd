// Celu: a continuously differentiable Elu.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

void infer_shape(InferContext& ctx) {
  ctx.check(ctx.f("alpha") != 0,
            "alpha is 0, and x is divided by it; use another value, such as 1");
  infer_rules::same_shape(ctx);
}

TensorList grad(const GradContext& ctx) {
  // As in Elu, the exponent is bounded where it is not taken.
  const Tensor& x = ctx.input(0);
  const Tensor zero = constant_like(x, 0);
  const Tensor scaled = x / ctx.f("alpha");
  const Tensor below = Exp(Min(scaled, zero));
  return {Where(Greater(x, zero), ctx.grad(), ctx.grad() * below)};
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor zero = constant_like(x, 0);
  const double alpha = ctx.f("alpha");
  return {Max(x, zero) + Min((Exp(x / alpha) - 1) * alpha, zero)};
}

void samples(Samples& s) {
  elementwise::kinked_samples(s, 0);
  s.add({arg::range({3}, -2, -0.2)}, {{"alpha", 2.0}});
  s.bad({arg::any({2})}, {{"alpha", 0.0}}, "alpha is 0");
}

}  // namespace

constinit const OpDef Celu{
    .name = "Celu",
    .doc = "max(0, x) + min(0, alpha * (e^(x/alpha) - 1)).",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_f("alpha", 1)},
    .infer = infer_shape,
    .expand = expand,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 12},
    .samples = samples,
};

}  // namespace tenon::op
