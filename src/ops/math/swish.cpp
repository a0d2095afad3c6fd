// Swish: x * sigmoid(alpha * x) (Ramachandran et al. 2017, https://arxiv.org/abs/1710.05941).
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

Tensor gate(const Call& call, const Tensor& x) {
  const double alpha = call.f("alpha");
  return Sigmoid(alpha == 1 ? x : x * alpha);
}

TensorList grad(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor s = gate(ctx, x);
  return {ctx.grad() * (s + x * s * (1 - s) * ctx.f("alpha"))};
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  return {x * gate(ctx, x)};
}

void samples(Samples& s) {
  elementwise::unary_samples(s, -3, 3);
  s.add({arg::range({2, 3}, -3, 3)}, {{"alpha", 1.702}});
  s.add({arg::range({5}, -2, 2)}, {{"alpha", -0.5}});
  s.bad({arg::any({2})}, {{"beta", 1.0}}, "unknown attribute 'beta'");
}

}  // namespace

constinit const OpDef Swish{
    .name = "Swish",
    .doc = "x / (1 + e^(-alpha x)); with alpha = 1 also called SiLU.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_f("alpha", 1)},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 24},
    .quant = QuantRole::compute,
    .samples = samples,
};

}  // namespace tenon::op
