// BatchNormalizationGrad: the gradients of BatchNormalization's X, scale and B.
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/norm_rules.h"
#include "ops/nn/precision.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(1);
  ctx.check(x.size() >= 2, "X is {}; it takes [N, C, ...] of rank 2 or more", ctx.str(1));
  bool same = ctx.rank(0) == x.size();
  for (size_t i = 0; same && i < x.size(); ++i) same = !differ(ctx.dims(0)[i], x[i]);
  ctx.check(same, "dY is {} and X is {}; both must have the same shape", ctx.str(0), ctx.str(1));
  norm_rules::check_vector(ctx, 2, "scale", x[1]);
  if (ctx.i("training_mode") == 0) {
    ctx.check(ctx.has_input(3) && ctx.has_input(4),
              "mean and var are missing; give them, or set training_mode to 1 to take the batch's");
    norm_rules::check_vector(ctx, 3, "mean", x[1]);
    norm_rules::check_vector(ctx, 4, "var", x[1]);
  }
  ctx.output(0, x);
  ctx.output(1, {x[1]});
  ctx.output(2, {x[1]});
}

// Training: dX = scale * inv_std * (dY - mean(dY) - x_hat * mean(dY * x_hat)), as in Ioffe and
// Szegedy, "Batch Normalization" (ICML 2015), section 3, simplified.
TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(1);
  const size_t rank = x.rank();
  const DType type = compute_type(x.dtype(), ctx.input(2).dtype());
  const Shape axes = norm_rules::batch_axes(rank);
  const Tensor dy = ctx.input(0).to(type), wide = x.to(type);
  const auto channel = [&](size_t i) {
    return norm_rules::per_channel(ctx.input(i).to(type), rank);
  };
  Tensor x_hat, dx;
  if (ctx.i("training_mode") == 0) {
    const Tensor inv_std = 1.0 / Sqrt(channel(4) + ctx.f("epsilon"));
    x_hat = (wide - channel(3)) * inv_std;
    dx = dy * (channel(2) * inv_std);
  } else {
    const norm_rules::Moments m = norm_rules::moments(wide, axes, ctx.f("epsilon"));
    x_hat = m.centered * m.inv_std;
    const Tensor rest = dy - dy.mean(axes, true) - x_hat * (dy * x_hat).mean(axes, true);
    dx = rest * (channel(2) * m.inv_std);
  }
  TensorList outputs{dx.to(x.dtype())};
  const DType parameters = ctx.input(2).dtype();
  if (ctx.output_count() > 1) outputs.push_back((dy * x_hat).sum(axes).to(parameters));
  if (ctx.output_count() > 2) outputs.push_back(dy.sum(axes).to(parameters));
  return outputs;
}

void samples(Samples& s) {
  const auto channels = [](int64_t c) { return arg::any({c}); };
  const auto variance = [](int64_t c) { return arg::range({c}, 0.5, 2); };
  const auto doubles = [](int64_t c, double low) { return arg::typed({c}, DType::f64, low, 2); };
  s.add({arg::any({4, 3}), arg::any({4, 3}), channels(3), channels(3), variance(3)},
        {{"epsilon", 0.01}});
  s.add({arg::any({0, 3, 2}), arg::any({0, 3, 2}), channels(3), channels(3), variance(3)}).outputs =
      3;
  // f32 gradients of X in f64 are too coarse for finite differences.
  Sample& coarse =
      s.add({arg::any({3, 2, 4}), arg::any({3, 2, 4}), channels(2)}, {{"training_mode", 1}});
  coarse.outputs = 3;
  coarse.grad = false;
  s.add({arg::any({4, 2}), arg::any({4, 2}), doubles(2, -2), channels(2), variance(2)},
        {{"training_mode", 1}})
      .outputs = 2;
  s.add({arg::any({3, 2, 4}), arg::any({3, 2, 4}), doubles(2, -2)}, {{"training_mode", 1}})
      .outputs = 3;
  s.add({arg::any({2, 3, 2, 2}), arg::any({2, 3, 2, 2}), doubles(3, -2), doubles(3, -2),
         doubles(3, 0.5)})
      .outputs = 3;
  s.bad({arg::any({4, 2}), arg::any({4, 2}), arg::any({2})}, {}, "mean and var are missing");
  s.bad({arg::any({4, 3}), arg::any({4, 2}), arg::any({2})}, {{"training_mode", 1}},
        "both must have the same shape");
  s.bad({arg::any({4, 2}), arg::any({4, 2}), arg::any({3})}, {{"training_mode", 1}},
        "scale is f32[3]");
}

}  // namespace

constinit const OpDef BatchNormalizationGrad{
    .name = "BatchNormalizationGrad",
    .doc =
        "d(loss)/dX, dscale and dB of BatchNormalization; in training_mode the batch's statistics "
        "are taken again.",
    .inputs =
        {{"dY", "T"}, {"X", "T"}, {"scale", "T1"}, optional("mean", "T2"), optional("var", "T2")},
    .outputs = {{"dX", "T"}, optional("dscale", "T1"), optional("dB", "T1")},
    .types = {{"T", kFloats}, {"T1", kFloats}, {"T2", kFloats}},
    .attrs = {attr_f("epsilon", 1e-5), attr_i("training_mode", 0)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = no_onnx("a gradient; graphs that are exported have none"),
    .samples = samples,
};

}  // namespace tenon::op
