// LayerNormalization: each sample normalised over its last axes.
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/norm_rules.h"
#include "ops/nn/precision.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

size_t first_axis(const Call& call, size_t rank) {
  return static_cast<size_t>(normalize_axis(call.i("axis"), rank, call.op.name));
}

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  const size_t first = first_axis(ctx, x.size());
  norm_rules::check_broadcasts(ctx, 1, "Scale", x);
  if (ctx.has_input(2)) norm_rules::check_broadcasts(ctx, 2, "B", x);
  const DType statistics = norm_rules::stash_type(ctx);
  Dims reduced = x;
  for (size_t i = first; i < x.size(); ++i) reduced[i] = 1;
  ctx.output(0, x);
  ctx.output(1, reduced, statistics);
  ctx.output(2, reduced, statistics);
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const DType type = compute_type(x.dtype());
  const Shape axes = norm_rules::axes_from(first_axis(ctx, x.rank()), x.rank());
  const norm_rules::Moments m = norm_rules::moments(x.to(type), axes, ctx.f("epsilon"));
  Tensor y = m.centered * m.inv_std * ctx.input(1).to(type);
  if (ctx.has_input(2)) y = y + ctx.input(2).to(type);
  const DType statistics = norm_rules::stash_type(ctx);
  return {y.to(x.dtype()), m.mean.to(statistics), m.inv_std.to(statistics)};
}

TensorList grad(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Attrs attrs{{"axis", ctx.i("axis")}, {"epsilon", ctx.f("epsilon")}};
  const TensorList made = LayerNormalizationGrad.all({ctx.grad(), x, ctx.input(1)}, attrs, 3);
  TensorList grads = ctx.none();
  grads[0] = made[0];
  grads[1] = made[1];
  if (ctx.has_input(2)) {
    const bool alike = ctx.dims(2) == ctx.dims(1);
    grads[2] = alike ? made[2] : sum_to(ctx.grad(), ctx.dims(2));
  }
  if (!ctx.needs(0) || (!ctx.has_grad(1) && !ctx.has_grad(2))) return grads;

  // Mean = sum(X) / count, and InvStdDev = (sum(centered^2) / count + epsilon)^-1/2.
  const Shape axes = norm_rules::axes_from(first_axis(ctx, x.rank()), x.rank());
  const norm_rules::Moments m = norm_rules::moments(x, axes, ctx.f("epsilon"));
  const Tensor count = full(ctx.dims(0), 1, x.dtype(), x).sum(axes, true);
  if (ctx.has_grad(1)) grads[0] = grads[0] + ctx.grad(1).to(x.dtype()) / count;
  if (ctx.has_grad(2)) {
    const Tensor cubed = m.inv_std * m.inv_std * m.inv_std;
    grads[0] = grads[0] - m.centered * (ctx.grad(2).to(x.dtype()) * cubed / count);
  }
  return grads;
}

// ONNX Runtime had it before ONNX, and writes it into files of any opset.
TensorList upgrade_1(const OnnxNode& node) {
  return LayerNormalization.all(node.inputs, node.attrs, node.output_count);
}

void samples(Samples& s) {
  s.add({arg::any({2, 3, 4}), arg::any({4}), arg::any({4})});
  s.add({arg::any({2, 3, 4}), arg::any({3, 4})}, {{"axis", 1}});
  s.add({arg::any({2, 5}), arg::any({2, 5}), arg::any({5})}, {{"axis", 0}, {"epsilon", 0.1}});
  s.add({arg::any({2, 3, 4}), arg::any({3, 1}), arg::any({1})}, {{"axis", 1}});
  s.add({arg::any({0, 4}), arg::any({4}), arg::any({4})}).outputs = 3;
  // Statistics of X in f64 are f32 or bf16, too coarse for finite differences.
  for (const int64_t stash_type : {1, 16}) {
    Sample& coarse =
        s.add({arg::any({2, 3, 4}), arg::any({3, 4})}, {{"axis", 1}, {"stash_type", stash_type}});
    coarse.outputs = 3;
    coarse.grad = false;
  }
  s.bad({arg::any({2, 5}), arg::any({5})}, {{"axis", 2}}, "LayerNormalization: axis 2 is outside");
  s.bad({arg::any({2, 5}), arg::any({4})}, {},
        "Scale is f32[4], which does not broadcast to X of shape [2, 5]");
  s.bad({arg::any({2, 5}), arg::any({5}), arg::any({3, 2, 5})}, {},
        "B is f32[3, 2, 5], which does not broadcast");
  s.bad({arg::any({2, 5}), arg::any({5})}, {{"stash_type", 2}},
        "stash_type is 2; use 1 (f32) or 16 (bf16)");
}

}  // namespace

constinit const OpDef LayerNormalization{
    .name = "LayerNormalization",
    .doc =
        "Scale * (X - mean) / sqrt(var + epsilon) + B, with mean and variance over the axes from "
        "`axis` on.",
    .inputs = {{"X", "T"}, {"Scale", "T"}, optional("B", "T")},
    .outputs = {{"Y", "T"}, optional("Mean", "U"), optional("InvStdDev", "U")},
    .types = {{"T", kFloats}, {"U", types(DType::f32, DType::bf16)}},
    .attrs = {attr_i("axis", -1), attr_f("epsilon", 1e-5), attr_i("stash_type", 1)},
    .infer = infer,
    .expand = expand,
    .grad = {grad, saves::input(0) | saves::input(1)},
    .onnx = {.since = 17, .older = {{1, upgrade_1}}},
    .samples = samples,
};

}  // namespace tenon::op
