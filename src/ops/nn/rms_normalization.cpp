// RMSNormalization: each sample divided by the root of its mean square over its last axes.
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/norm_rules.h"
#include "ops/nn/precision.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.axis(ctx.i("axis"), ctx.rank(0));
  norm_rules::stash_type(ctx);
  norm_rules::check_broadcasts(ctx, 1, "scale", ctx.dims(0));
  ctx.output(0, ctx.dims(0));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const DType type = compute_type(x.dtype(), ctx.input(1).dtype());
  const auto first = static_cast<size_t>(normalize_axis(ctx.i("axis"), x.rank(), ctx.op.name));
  const Tensor wide = x.to(type);
  const Tensor square = (wide * wide).mean(norm_rules::axes_from(first, x.rank()), true);
  return {
      (wide / Sqrt(square + ctx.f("epsilon")) * ctx.input(1).to(type)).to(ctx.input(1).dtype())};
}

void samples(Samples& s) {
  const auto scale = [](const Shape& shape) { return arg::typed(shape, DType::f64); };
  s.add({arg::any({2, 3, 4}), scale({4})});
  s.add({arg::any({2, 3, 4}), scale({3, 4})}, {{"axis", 1}, {"epsilon", 0.1}});
  s.add({arg::any({2, 4}), arg::typed({4}, DType::f32)}, {{"axis", -1}}).grad =
      false;  // f32 is too coarse
  s.add({arg::any({0, 4}), scale({4})});
  s.bad({arg::any({2, 5}), arg::any({5})}, {{"axis", 2}}, "RMSNormalization: axis 2 is outside");
  s.bad({arg::any({2, 5}), arg::any({4})}, {},
        "scale is f32[4], which does not broadcast to X of shape [2, 5]");
  s.bad({arg::any({2, 5}), arg::any({5})}, {{"stash_type", 2}},
        "stash_type is 2; use 1 (f32) or 16 (bf16)");
}

}  // namespace

constinit const OpDef RMSNormalization{
    .name = "RMSNormalization",
    .doc = "scale * X / sqrt(mean(X^2) + epsilon), with the mean over the axes from `axis` on.",
    .inputs = {{"X", "T"}, {"scale", "V"}},
    .outputs = {{"Y", "V"}},
    .types = {{"T", kFloats}, {"V", kFloats}},
    .attrs = {attr_i("axis", -1), attr_f("epsilon", 1e-5), attr_i("stash_type", 1)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 23},
    .samples = samples,
};

}  // namespace tenon::op
