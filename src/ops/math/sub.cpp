// Sub: A - B.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

void infer_shape(InferContext& ctx) {
  elementwise::broadcast(ctx, [](const Dim& a, const Dim& b) { return a - b; });
}

TensorList grad(const GradContext& ctx) {
  TensorList grads = ctx.none();
  if (ctx.needs(0)) grads[0] = sum_to(ctx.grad(), ctx.dims(0));
  if (ctx.needs(1)) grads[1] = sum_to(-ctx.grad(), ctx.dims(1));
  return grads;
}

void samples(Samples& s) { elementwise::binary_samples(s, -2, 2); }

}  // namespace

constinit const OpDef Sub{
    .name = "Sub",
    .doc = "A - B, broadcast; integers wrap around.",
    .inputs = {{"A", "T"}, {"B", "T"}},
    .outputs = {{"C", "T"}},
    .types = {{"T", kNumeric}},
    .infer = infer_shape,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 7, .older = {{1, upgrade::legacy_broadcast}}},
    .quant = QuantRole::compute,
    .samples = samples,
};

}  // namespace tenon::op
