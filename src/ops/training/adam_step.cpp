// AdamStep: one step of Adam or AdamW, as torch.optim.Adam and AdamW take it.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/nn/precision.h"
#include "ops/samples.h"
#include "ops/training/catalog.h"
#include "ops/training/step_rules.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  for (const std::string_view beta : {"beta1", "beta2"})
    ctx.check(ctx.f(beta) >= 0 && ctx.f(beta) < 1, "{} is {}; it must be at least 0 and below 1",
              beta, ctx.f(beta));
  step_rules::infer(ctx);
}

// Kingma and Ba, "Adam" (ICLR 2015), algorithm 1; decoupled decay as in Loshchilov and Hutter,
// "Decoupled Weight Decay Regularization" (ICLR 2019), algorithm 2.
TensorList expand(const ExpandContext& ctx) {
  const DType stored = ctx.input(2).dtype();
  const DType type = compute_type(stored);
  const double beta1 = ctx.f("beta1"), beta2 = ctx.f("beta2"), decay = ctx.f("weight_decay");
  const Tensor lr = ctx.input(0).to(type);
  Tensor param = ctx.input(2).to(type), grad = ctx.input(3).to(type);
  if (decay != 0 && ctx.i("decoupled") != 0)
    param = param - param * (lr * decay);
  else if (decay != 0)
    grad = grad + param * decay;
  const Tensor exp_avg = ctx.input(4).to(type) * beta1 + grad * (1 - beta1);
  const Tensor exp_avg_sq = ctx.input(5).to(type) * beta2 + grad * grad * (1 - beta2);
  // 1 - beta^step loses half its digits in f32 at first, so these two scalars are f64.
  const Tensor step = ctx.input(1).to(DType::f64);
  const auto correction = [&](double beta) { return 1.0 - Pow(constant_like(step, beta), step); };
  const Tensor size = (ctx.input(0).to(DType::f64) / correction(beta1)).to(type);
  const Tensor denominator = Sqrt(exp_avg_sq) / Sqrt(correction(beta2)).to(type) + ctx.f("eps");
  return {(param - size * exp_avg / denominator).to(stored), exp_avg.to(stored),
          exp_avg_sq.to(stored)};
}

void samples(Samples& s) {
  const Arg lr = arg::fixed(Tensor::scalar(0.01)), first = arg::int_scalar(1),
            later = arg::int_scalar(10);
  const auto square = [](const Shape& shape) { return arg::range(shape, 0.1, 1); };
  s.add({lr, first, arg::any({2, 3}), arg::any({2, 3}), arg::any({2, 3}), square({2, 3})}).outputs =
      3;
  s.add({lr, later, arg::any({5}), arg::any({5}), arg::any({5}), square({5})},
        {{"weight_decay", 0.1}})
      .outputs = 3;
  s.add({lr, later, arg::any({5}), arg::any({5}), arg::any({5}), square({5})},
        {{"weight_decay", 0.1}, {"decoupled", 1}})
      .outputs = 3;
  s.add({lr, first, arg::any({5}), arg::any({5}), arg::any({5}), square({5})},
        {{"beta1", 0.5}, {"beta2", 0.9}, {"eps", 0.001}})
      .outputs = 3;
  s.add({lr, first, arg::any({0}), arg::any({0}), arg::any({0}), arg::any({0})}).outputs = 3;
  s.bad({lr, first, arg::any({5}), arg::any({5}), arg::any({4}), square({5})}, {},
        "AdamStep: exp_avg is f32[4] but param is f32[5]");
  s.bad({lr, arg::ints({1}), arg::any({5}), arg::any({5}), arg::any({5}), square({5})}, {},
        "step is i64[1]");
  s.bad({lr, first, arg::any({5}), arg::any({5}), arg::any({5}), square({5})}, {{"beta2", 1.0}},
        "beta2 is 1; it must");
}

}  // namespace

constinit const OpDef AdamStep{
    .name = "AdamStep",
    .doc = "One step of Adam, or with `decoupled` of AdamW; `step` counts from 1.",
    .inputs = {{"lr", "R"},
               {"step", "I"},
               {"param", "T"},
               {"grad", "T"},
               {"exp_avg", "T"},
               {"exp_avg_sq", "T"}},
    .outputs = {{"new_param", "T"}, optional("new_exp_avg", "T"), optional("new_exp_avg_sq", "T")},
    .types = {{"T", kFloats}, {"R", kFloat32}, {"I", kInt64}},
    .attrs = {attr_f("beta1", 0.9), attr_f("beta2", 0.999), attr_i("decoupled", 0),
              attr_f("eps", 1e-8), attr_f("weight_decay", 0)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("an update is not differentiated"),
    .onnx = no_onnx("a training step; ONNX's own are in a preview domain that few tools read"),
    .samples = samples,
};

}  // namespace tenon::op
