// FastGelu: Gelu by tanh of a sum.
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  if (ctx.has_input(1)) {
    ctx.check(ctx.rank(0) >= 1, "X is {}; with a bias it needs an axis", ctx.str(0));
    microsoft::check_bias(ctx, 1, ctx.dims(0).back());
  }
  ctx.output(0, ctx.dims(0));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor x = ctx.has_input(1) ? ctx.input(0) + ctx.input(1) : ctx.input(0);
  return {Gelu(x, {{"approximate", "tanh"}})};
}

void samples(Samples& s) {
  s.add({arg::range({2, 3, 4}, -3, 3)});
  s.add({arg::any({2, 3}), arg::any({3})});
  s.add({arg::any({0, 3}), arg::any({3})});
  s.bad({arg::any({2, 3}), arg::any({2})}, {}, "FastGelu: bias is f32[2]; it must have shape [3]");
}

}  // namespace

constinit const OpDef FastGelu{
    .name = "FastGelu",
    .doc = "Gelu of X + bias, by the formula with tanh.",
    .inputs = {{"X", "T"}, optional("bias", "T")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
