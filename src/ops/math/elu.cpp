// Elu: x, or alpha * (e^x - 1) below 0.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  // The exponent is bounded where it is not taken: an infinity there would turn into NaN later.
  const Tensor& x = ctx.input(0);
  const Tensor below = Exp(Min(x, constant_like(x, 0))) * ctx.f("alpha");
  return {Where(Greater(x, constant_like(x, 0)), ctx.grad(), ctx.grad() * below)};
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor below = (Exp(Min(x, constant_like(x, 0))) - 1) * ctx.f("alpha");
  return {Where(Greater(x, constant_like(x, 0)), x, below)};
}

void samples(Samples& s) {
  elementwise::kinked_samples(s, 0);
  s.add({arg::range({3}, -2, -0.2)}, {{"alpha", 0.3}});
}

}  // namespace

constinit const OpDef Elu{
    .name = "Elu",
    .doc = "x where x is above 0, else alpha * (e^x - 1).",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_f("alpha", 1)},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 6, .older = {{1, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
