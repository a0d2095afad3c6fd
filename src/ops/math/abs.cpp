// Abs: |x|.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) { return {ctx.grad() * Sign(ctx.input(0))}; }

void samples(Samples& s) { elementwise::kinked_samples(s, 0); }

}  // namespace

constinit const OpDef Abs{
    .name = "Abs",
    .doc = "|x|, element by element; the least integer of a type stays as it is.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kNumeric}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 6, .older = {{1, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
