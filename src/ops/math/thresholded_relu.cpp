// ThresholdedRelu: x above alpha, else 0.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  return {Where(Greater(x, constant_like(x, ctx.f("alpha"))), ctx.grad(), constant_like(x, 0))};
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  return {Where(Greater(x, constant_like(x, ctx.f("alpha"))), x, constant_like(x, 0))};
}

void samples(Samples& s) {
  elementwise::kinked_samples(s, 1);
  elementwise::kinked_samples(s, 0.3, {{"alpha", 0.3}});
}

}  // namespace

constinit const OpDef ThresholdedRelu{
    .name = "ThresholdedRelu",
    .doc = "x where x is above alpha, else 0.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_f("alpha", 1)},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 10, .older = {{1, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
