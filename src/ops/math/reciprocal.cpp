// Reciprocal: 1 / x.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor& y = ctx.output(0);
  return {-(ctx.grad() * y * y)};
}

void samples(Samples& s) {
  elementwise::unary_samples(s, 0.3, 2);
  s.add({arg::range({3}, -2, -0.3)});
}

}  // namespace

constinit const OpDef Reciprocal{
    .name = "Reciprocal",
    .doc = "1 / x, element by element.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::output(0)},
    .onnx = {.since = 6, .older = {{1, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
