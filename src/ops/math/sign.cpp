// Sign: -1, 0 or 1.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  return ctx.none();  // zero wherever it exists
}

void samples(Samples& s) {
  elementwise::kinked_samples(s, 0);
  s.add({arg::fixed(Tensor::zeros({2}))}).grad = false;
}

}  // namespace

constinit const OpDef Sign{
    .name = "Sign",
    .doc = "-1, 0 or 1, by the sign of x; NaN stays NaN.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kNumeric}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 9},
    .samples = samples,
};

}  // namespace tenon::op
