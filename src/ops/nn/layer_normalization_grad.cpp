// LayerNormalizationGrad: the gradients of LayerNormalization's X, Scale and B.
#include "ops/nn/catalog.h"
#include "ops/nn/norm_rules.h"
#include "ops/nn/precision.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(1);
  ctx.axis(ctx.i("axis"), x.size());
  bool same = ctx.rank(0) == x.size();
  for (size_t i = 0; same && i < x.size(); ++i) same = !differ(ctx.dims(0)[i], x[i]);
  ctx.check(same, "dY is {} and X is {}; both must have the same shape", ctx.str(0), ctx.str(1));
  norm_rules::check_broadcasts(ctx, 2, "Scale", x);
  ctx.output(0, x);
  ctx.output(1, ctx.dims(2));
  ctx.output(2, ctx.dims(2));
}

// With g = dY * Scale: dX = inv_std * (g - mean(g) - x_hat * mean(g * x_hat)); Ba, Kiros and
// Hinton, "Layer Normalization" (2016), differentiated.
TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(1);
  const DType type = compute_type(x.dtype());
  const auto first = static_cast<size_t>(normalize_axis(ctx.i("axis"), x.rank(), ctx.op.name));
  const Shape axes = norm_rules::axes_from(first, x.rank());
  const Tensor dy = ctx.input(0).to(type);
  const norm_rules::Moments m = norm_rules::moments(x.to(type), axes, ctx.f("epsilon"));
  const Tensor x_hat = m.centered * m.inv_std;
  const Tensor g = dy * ctx.input(2).to(type);
  const Tensor dx = m.inv_std * (g - g.mean(axes, true) - x_hat * (g * x_hat).mean(axes, true));
  TensorList outputs{dx.to(x.dtype())};
  const Dims scale = ctx.input(2).dims();
  if (ctx.output_count() > 1) outputs.push_back(sum_to(dy * x_hat, scale).to(x.dtype()));
  if (ctx.output_count() > 2) outputs.push_back(sum_to(dy, scale).to(x.dtype()));
  return outputs;
}

void samples(Samples& s) {
  s.add({arg::any({2, 3, 4}), arg::any({2, 3, 4}), arg::any({4})}).outputs = 3;
  s.add({arg::any({2, 3, 4}), arg::any({2, 3, 4}), arg::any({3, 4})}, {{"axis", 1}}).outputs = 2;
  s.add({arg::any({2, 3, 4}), arg::any({2, 3, 4}), arg::any({3, 1})},
        {{"axis", -2}, {"epsilon", 0.1}})
      .outputs = 3;
  s.add({arg::any({0, 4}), arg::any({0, 4}), arg::any({4})}).outputs = 3;
  s.bad({arg::any({2, 4}), arg::any({3, 4}), arg::any({4})}, {}, "both must have the same shape");
  s.bad({arg::any({2, 4}), arg::any({2, 4}), arg::any({3})}, {},
        "Scale is f32[3], which does not broadcast");
  s.bad({arg::any({2, 4}), arg::any({2, 4}), arg::any({4})}, {{"axis", 3}}, "axis 3 is outside");
}

}  // namespace

constinit const OpDef LayerNormalizationGrad{
    .name = "LayerNormalizationGrad",
    .doc = "d(loss)/dX, dScale and dB of LayerNormalization; dB has Scale's shape.",
    .inputs = {{"dY", "T"}, {"X", "T"}, {"Scale", "T"}},
    .outputs = {{"dX", "T"}, optional("dScale", "T"), optional("dB", "T")},
    .types = {{"T", kFloats}},
    .attrs = {attr_i("axis", -1), attr_f("epsilon", 1e-5)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = no_onnx("a gradient; graphs that are exported have none"),
    .samples = samples,
};

}  // namespace tenon::op
