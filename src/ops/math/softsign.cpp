// Softsign: x / (1 + |x|).
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor below = Abs(ctx.input(0)) + 1;
  return {ctx.grad() / (below * below)};
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  return {x / (Abs(x) + 1)};
}

void samples(Samples& s) { elementwise::kinked_samples(s, 0); }

}  // namespace

constinit const OpDef Softsign{
    .name = "Softsign",
    .doc = "x / (1 + |x|), element by element.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 1},
    .samples = samples,
};

}  // namespace tenon::op
