// SgdStep: one step of stochastic gradient descent, as torch.optim.SGD takes it.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/nn/precision.h"
#include "ops/samples.h"
#include "ops/training/catalog.h"
#include "ops/training/step_rules.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const double momentum = ctx.f("momentum");
  ctx.check(momentum == 0 || ctx.has_input(4),
            "momentum is {}, but there is no momentum_buffer; give one of zeros", momentum);
  ctx.check(momentum != 0 || ctx.output_count() == 1,
            "new_buffer is asked for, but momentum is 0; ask for new_param alone");
  ctx.check(
      ctx.i("nesterov") == 0 || (momentum > 0 && ctx.f("dampening") == 0),
      "nesterov with momentum {} and dampening {}; it needs a momentum above 0 and no dampening",
      momentum, ctx.f("dampening"));
  step_rules::infer(ctx);
}

// https://pytorch.org/docs/stable/generated/torch.optim.SGD.html: the first step takes the gradient
// itself for its buffer.
TensorList expand(const ExpandContext& ctx) {
  const DType stored = ctx.input(2).dtype();
  const DType type = compute_type(stored);
  const Tensor lr = ctx.input(0).to(type), param = ctx.input(2).to(type);
  Tensor step = ctx.input(3).to(type);
  if (ctx.f("weight_decay") != 0) step = step + param * ctx.f("weight_decay");
  const double momentum = ctx.f("momentum");
  if (momentum == 0) return {(param - lr * step).to(stored)};
  const Tensor is_first = Equal(ctx.input(1), constant_like(ctx.input(1), 0));
  const Tensor buffer =
      Where(is_first, step, ctx.input(4).to(type) * momentum + step * (1 - ctx.f("dampening")));
  step = ctx.i("nesterov") != 0 ? step + buffer * momentum : buffer;
  return {(param - lr * step).to(stored), buffer.to(stored)};
}

void samples(Samples& s) {
  const Arg lr = arg::fixed(Tensor::scalar(0.1)), first = arg::int_scalar(0),
            later = arg::int_scalar(3);
  s.add({lr, first, arg::any({2, 3}), arg::any({2, 3})});
  s.add({lr, later, arg::any({5}), arg::any({5})}, {{"weight_decay", 0.1}});
  s.add({lr, first, arg::any({5}), arg::any({5}), arg::any({5})},
        {{"momentum", 0.9}, {"dampening", 0.5}})
      .outputs = 2;
  s.add({lr, later, arg::any({5}), arg::any({5}), arg::any({5})},
        {{"momentum", 0.9}, {"dampening", 0.5}})
      .outputs = 2;
  s.add({lr, later, arg::any({2, 2}), arg::any({2, 2}), arg::any({2, 2})},
        {{"momentum", 0.9}, {"nesterov", 1}, {"weight_decay", 0.01}})
      .outputs = 2;
  s.add({lr, first, arg::any({0}), arg::any({0})});
  s.bad({lr, first, arg::any({5}), arg::any({4})}, {},
        "SgdStep: grad is f32[4] but param is f32[5]");
  s.bad({arg::fixed(Tensor::ones({1})), first, arg::any({5}), arg::any({5})}, {},
        "lr is f32[1]; it must be a scalar");
  s.bad({lr, first, arg::any({5}), arg::any({5})}, {{"momentum", 0.9}},
        "there is no momentum_buffer");
  s.bad({lr, first, arg::any({5}), arg::any({5})}, {{"nesterov", 1}}, "needs a momentum above 0");
}

}  // namespace

constinit const OpDef SgdStep{
    .name = "SgdStep",
    .doc = "One step of stochastic gradient descent with momentum; `step` counts from 0.",
    .inputs = {{"lr", "R"},
               {"step", "I"},
               {"param", "T"},
               {"grad", "T"},
               optional("momentum_buffer", "T")},
    .outputs = {{"new_param", "T"}, optional("new_buffer", "T")},
    .types = {{"T", kFloats}, {"R", kFloat32}, {"I", kInt64}},
    .attrs = {attr_f("dampening", 0), attr_f("momentum", 0), attr_i("nesterov", 0),
              attr_f("weight_decay", 0)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("an update is not differentiated"),
    .onnx = no_onnx("a training step; ONNX's own are in a preview domain that few tools read"),
    .samples = samples,
};

}  // namespace tenon::op
