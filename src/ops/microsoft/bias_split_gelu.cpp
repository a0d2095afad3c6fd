// BiasSplitGelu: one half of a sum, gated by Gelu of the other.
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  ctx.check(x.size() == 3 && (!x[2].is_const() || x[2].value() % 2 == 0),
            "X is {}; it must be [batch, length, 2 * width]", ctx.str(0));
  microsoft::check_bias(ctx, 1, x[2]);
  ctx.output(0, {x[0], x[1], x[2].floor_div(2)});
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor sum = ctx.input(0) + ctx.input(1);
  const TensorList halves = Split.all({sum}, {{"axis", 2}, {"num_outputs", 2}}, 2);
  return {halves[0] * Gelu(halves[1])};
}

void samples(Samples& s) {
  s.add({arg::any({2, 3, 4}), arg::any({4})});
  s.add({arg::any({1, 2, 6}), arg::any({6})});
  s.bad({arg::any({2, 3, 5}), arg::any({5})}, {}, "BiasSplitGelu: X is f32[2, 3, 5]");
  s.bad({arg::any({2, 3, 4}), arg::any({2})}, {}, "bias is f32[2]; it must have shape [4]");
}

}  // namespace

constinit const OpDef BiasSplitGelu{
    .name = "BiasSplitGelu",
    .doc = "With X + bias in two halves along the last axis: the first times Gelu of the second.",
    .inputs = {{"X", "T"}, {"bias", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
