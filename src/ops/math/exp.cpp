// Exp: e to the power x.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) { return {ctx.grad() * ctx.output(0)}; }

void samples(Samples& s) { elementwise::unary_samples(s, -2, 2); }

}  // namespace

constinit const OpDef Exp{
    .name = "Exp",
    .doc = "e to the power x, element by element.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::output(0)},
    .onnx = {.since = 6, .older = {{1, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
