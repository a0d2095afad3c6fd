// BiasAdd: a bias along the last axis and a residual connection.
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  ctx.check(x.size() == 3, "X is {}; it must be [batch, length, channels]", ctx.str(0));
  microsoft::check_bias(ctx, 1, x[2]);
  bool same = ctx.rank(2) == 3;
  for (size_t i = 0; same && i < 3; ++i) same = !differ(x[i], ctx.dims(2)[i]);
  ctx.check(same, "skip is {}; it must have the shape of X, {}", ctx.str(2), str(x));
  ctx.output(0, x);
}

TensorList expand(const ExpandContext& ctx) { return {ctx.input(0) + ctx.input(1) + ctx.input(2)}; }

void samples(Samples& s) {
  s.add({arg::any({2, 3, 4}), arg::any({4}), arg::any({2, 3, 4})});
  s.add({arg::any({0, 3, 2}), arg::any({2}), arg::any({0, 3, 2})});
  s.bad({arg::any({2, 4}), arg::any({4}), arg::any({2, 4})}, {}, "BiasAdd: X is f32[2, 4]");
  s.bad({arg::any({2, 3, 4}), arg::any({4}), arg::any({2, 3, 1})}, {}, "skip is f32[2, 3, 1]");
}

}  // namespace

constinit const OpDef BiasAdd{
    .name = "BiasAdd",
    .doc = "X + bias + skip, where the bias is a vector along the last axis.",
    .inputs = {{"X", "T"}, {"bias", "T"}, {"skip", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
