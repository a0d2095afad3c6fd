// HardSigmoid: a line cut off at 0 and 1.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor& y = ctx.output(0);
  const Tensor zero = constant_like(y, 0);
  const Tensor inside = And(Greater(y, zero), Less(y, constant_like(y, 1)));
  return {Where(inside, ctx.grad() * ctx.f("alpha"), zero)};
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor line = x * ctx.f("alpha") + ctx.f("beta");
  return {Max(Min(line, constant_like(x, 1)), constant_like(x, 0))};
}

void samples(Samples& s) {
  elementwise::unary_samples(s, -2, 2);
  s.add({arg::range({3}, 3, 5)});
  s.add({arg::range({3}, -5, -3)});
  s.add({arg::range({3}, -1, 1)}, {{"alpha", 0.4}, {"beta", 0.45}});
}

}  // namespace

constinit const OpDef HardSigmoid{
    .name = "HardSigmoid",
    .doc = "max(0, min(1, alpha * x + beta)).",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_f("alpha", 0.2), attr_f("beta", 0.5)},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = {grad, saves::output(0)},
    .onnx = {.since = 6, .older = {{1, upgrade::as_is}}},
    .quant = QuantRole::compute,
    .samples = samples,
};

}  // namespace tenon::op
