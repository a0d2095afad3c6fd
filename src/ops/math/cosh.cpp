// Cosh: the hyperbolic cosine.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) { return {ctx.grad() * Sinh(ctx.input(0))}; }

void samples(Samples& s) { elementwise::unary_samples(s, -2, 2); }

}  // namespace

constinit const OpDef Cosh{
    .name = "Cosh",
    .doc = "The hyperbolic cosine, (e^x + e^-x) / 2.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::input(0)},
    .onnx = {.since = 9},
    .samples = samples,
};

}  // namespace tenon::op
