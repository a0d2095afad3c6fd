// QuickGelu: x * sigmoid(1.702 x), an approximation of Gelu.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"

namespace tenon::op {

namespace {

TensorList expand(const ExpandContext& ctx) {
  return {Swish(ctx.input(0), {{"alpha", ctx.f("alpha")}})};
}

void samples(Samples& s) {
  elementwise::unary_samples(s, -3, 3);
  s.add({arg::range({2, 3}, -3, 3)}, {{"alpha", 1.0}});
}

}  // namespace

constinit const OpDef QuickGelu{
    .name = "QuickGelu",
    .doc = "x * sigmoid(alpha * x).",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_f("alpha", 1.702)},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
