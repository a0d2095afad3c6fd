// LeakyRelu: x, or alpha * x below 0.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  return {Where(Greater(x, constant_like(x, 0)), ctx.grad(), ctx.grad() * ctx.f("alpha"))};
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  return {Where(Less(x, constant_like(x, 0)), x * ctx.f("alpha"), x)};
}

void samples(Samples& s) {
  elementwise::kinked_samples(s, 0);
  s.add({arg::range({3}, -2, -0.2)}, {{"alpha", 0.3}});
  s.add({arg::range({3}, -2, -0.2)}, {{"alpha", -0.5}});
}

}  // namespace

constinit const OpDef LeakyRelu{
    .name = "LeakyRelu",
    .doc = "x where x is not below 0, else alpha * x.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_f("alpha", 0.01)},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 6, .older = {{1, upgrade::as_is}}},
    .quant = QuantRole::compute,
    .samples = samples,
};

}  // namespace tenon::op
