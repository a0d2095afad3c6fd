// Log: the natural logarithm.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) { return {ctx.grad() / ctx.input(0)}; }

void samples(Samples& s) { elementwise::unary_samples(s, 0.2, 3); }

}  // namespace

constinit const OpDef Log{
    .name = "Log",
    .doc = "The natural logarithm; NaN below 0.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 6, .older = {{1, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
