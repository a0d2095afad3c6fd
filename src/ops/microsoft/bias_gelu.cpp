// BiasGelu: Gelu of a sum.
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) >= 1, "A is {}; it needs an axis", ctx.str(0));
  microsoft::check_bias(ctx, 1, ctx.dims(0).back());
  ctx.output(0, ctx.dims(0));
}

TensorList expand(const ExpandContext& ctx) { return {Gelu(ctx.input(0) + ctx.input(1))}; }

void samples(Samples& s) {
  s.add({arg::any({2, 3, 4}), arg::any({4})});
  s.add({arg::any({3}), arg::any({3})});
  s.add({arg::any({0, 3}), arg::any({3})});
  s.bad({arg::any({2, 3}), arg::any({2})}, {}, "BiasGelu: B is f32[2]; it must have shape [3]");
  s.bad({arg::any({}), arg::any({1})}, {}, "A is f32[]; it needs an axis");
}

}  // namespace

constinit const OpDef BiasGelu{
    .name = "BiasGelu",
    .doc = "Gelu of A + B, where B is a vector along the last axis.",
    .inputs = {{"A", "T"}, {"B", "T"}},
    .outputs = {{"C", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
