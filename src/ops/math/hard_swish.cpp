// HardSwish: x * HardSigmoid(x).
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor slope = Where(Less(x, constant_like(x, 3)), x / 3 + 0.5, constant_like(x, 1));
  const Tensor g = ctx.grad() * slope;
  return {Where(Greater(x, constant_like(x, -3)), g, constant_like(x, 0))};
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  return {x * HardSigmoid(x, {{"alpha", 1.0 / 6}, {"beta", 0.5}})};
}

void samples(Samples& s) {
  elementwise::unary_samples(s, -2, 2);
  s.add({arg::range({3}, 3.2, 5)});
  s.add({arg::range({3}, -5, -3.2)});
}

}  // namespace

constinit const OpDef HardSwish{
    .name = "HardSwish",
    .doc = "x * max(0, min(1, x/6 + 1/2)).",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 14},
    .quant = QuantRole::compute,
    .samples = samples,
};

}  // namespace tenon::op
