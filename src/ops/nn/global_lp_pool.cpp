// GlobalLpPool: the p-norm over all spatial axes.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/pool_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.i("p") >= 1, "p is {}; it must be at least 1", ctx.i("p"));
  pool_rules::infer_global(ctx);
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const double p = static_cast<double>(ctx.i("p"));
  const Tensor powers =
      Pow(Abs(x), constant_like(x, p)).sum(pool_rules::spatial_axes(x.rank()), true);
  return {Pow(powers, constant_like(x, 1 / p))};
}

TensorList upgrade_1(const OnnxNode& node) {
  return {GlobalLpPool(node.inputs[0], pool_rules::integral_p(node))};
}

void samples(Samples& s) {
  s.add({arg::range({2, 3, 4, 5}, 0.5, 2)});
  s.add({arg::range({1, 2, 6}, -2, -0.5)}, {{"p", 3}});
  s.add({arg::range({1, 2, 3, 2}, 0.5, 2)}, {{"p", 1}});
  s.add({arg::any({0, 2, 3, 3})});
  s.bad({arg::any({2, 3})}, {}, "GlobalLpPool: X is f32[2, 3]; it takes [N, C, spatial...]");
  s.bad({arg::any({2, 3, 2})}, {{"p", 0}}, "p is 0; it must be at least 1");
}

}  // namespace

constinit const OpDef GlobalLpPool{
    .name = "GlobalLpPool",
    .doc = "The p-norm over all spatial axes, kept with size 1.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_i("p", 2)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 2, .older = {{1, upgrade_1}}},
    .samples = samples,
};

}  // namespace tenon::op
