// Sqrt: the square root.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) { return {ctx.grad() * 0.5 / ctx.output(0)}; }

void samples(Samples& s) { elementwise::unary_samples(s, 0.2, 3); }

}  // namespace

constinit const OpDef Sqrt{
    .name = "Sqrt",
    .doc = "The square root; NaN below 0.",
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
