// com.microsoft.Gelu: ONNX's Gelu before it had one.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"

namespace tenon::op {

namespace {

TensorList expand(const ExpandContext& ctx) { return {Gelu(ctx.input(0))}; }

void samples(Samples& s) { elementwise::unary_samples(s, -3, 3); }

}  // namespace

constinit const OpDef MicrosoftGelu{
    .name = "Gelu",
    .doc = "x * P(N <= x) for a standard normal N.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer_rules::same_shape,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
