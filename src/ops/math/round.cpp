// Round: the nearest integer.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  return ctx.none();  // zero wherever it exists
}

void samples(Samples& s) {
  elementwise::unary_samples(s, 0.6, 1.4);
  s.add({arg::range({2, 8}, -3, 3)}).grad = false;
  s.add({arg::fixed(Tensor::from<float>({-2.5F, -1.5F, -0.5F, 0.5F, 1.5F, 2.5F}, {6}))}).grad =
      false;
}

}  // namespace

constinit const OpDef Round{
    .name = "Round",
    .doc = "The nearest integer; halves go to the even one.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 11},
    .samples = samples,
};

}  // namespace tenon::op
