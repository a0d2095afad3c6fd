// Relu: max(x, 0).
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) { return {ReluGrad(ctx.grad(), ctx.output(0))}; }

void samples(Samples& s) { elementwise::kinked_samples(s, 0); }

}  // namespace

constinit const OpDef Relu{
    .name = "Relu",
    .doc = "max(x, 0), element by element; NaN stays NaN.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats | kSignedInts}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::output(0)},
    .onnx = {.since = 6, .older = {{1, upgrade::as_is}}},
    .quant = QuantRole::compute,
    .samples = samples,
};

}  // namespace tenon::op
