// Neg: -x.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

void infer_shape(InferContext& ctx) {
  elementwise::same_shape(ctx, [](const Dim& x) { return Dim(0) - x; });
}

TensorList grad(const GradContext& ctx) { return {-ctx.grad()}; }

void samples(Samples& s) { elementwise::unary_samples(s, -2, 2); }

}  // namespace

constinit const OpDef Neg{
    .name = "Neg",
    .doc = "-x, element by element; the least integer of a type stays as it is.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats | kSignedInts}},
    .infer = infer_shape,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 6, .older = {{1, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
