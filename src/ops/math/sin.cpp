// Sin: the sine.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) { return {ctx.grad() * Cos(ctx.input(0))}; }

void samples(Samples& s) { elementwise::unary_samples(s, -3, 3); }

}  // namespace

constinit const OpDef Sin{
    .name = "Sin",
    .doc = "The sine of x radians.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 7},
    .samples = samples,
};

}  // namespace tenon::op
