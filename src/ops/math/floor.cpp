// Floor: the greatest integer not above x.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  return ctx.none();  // zero wherever it exists
}

void samples(Samples& s) {
  elementwise::unary_samples(s, 0.1, 0.9);
  s.add({arg::range({2, 8}, -3, 3)}).grad = false;
}

}  // namespace

constinit const OpDef Floor{
    .name = "Floor",
    .doc = "The greatest integer not above x.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 6, .older = {{1, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
