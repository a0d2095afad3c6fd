// SoftmaxCrossEntropyLoss: minus the logarithm of each label's softmax probability.
#include "ops/logic/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/loss_rules.h"
#include "ops/nn/precision.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  loss_rules::check(ctx, 0);
  ctx.output(0, loss_rules::loss_dims(ctx, ctx.dims(1)));
  ctx.output(1, ctx.dims(0));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& scores = ctx.input(0);
  const DType type = compute_type(scores.dtype());
  const Tensor weights = ctx.has_input(2) ? ctx.input(2) : Tensor();
  const Tensor log_prob = LogSoftmax(scores.to(type), {{"axis", 1}});
  const loss_rules::Targets targets = loss_rules::targets(ctx, ctx.input(1), weights, type);
  const Tensor loss = loss_rules::negative_log_likelihood(ctx, log_prob, targets);
  return {loss.to(scores.dtype()), log_prob.to(scores.dtype())};
}

// d(loss)/d(weights): each label's own loss lands on its class; a mean also divides by the weights.
Tensor weights_grad(const GradContext& ctx) {
  const DType type = compute_type(ctx.dtype(0));
  const loss_rules::Targets targets = loss_rules::targets(ctx, ctx.input(1), ctx.input(2), type);
  Tensor each = -loss_rules::pick(LogSoftmax(ctx.input(0).to(type), {{"axis", 1}}), targets);
  if (ctx.s("reduction") == "mean") {
    const Tensor total = targets.weight.sum();
    const Tensor weighted = each * targets.weight;
    const Tensor counted = targets.valid.defined()
                               ? Where(targets.valid, weighted, constant_like(weighted, 0))
                               : weighted;
    each = (each - counted.sum() / total) / total;
  }
  each = each * ctx.grad(0).to(type);
  if (targets.valid.defined()) each = Where(targets.valid, each, constant_like(each, 0));
  const Tensor zeros = full(ctx.dims(2), 0, type, ctx.input(2));
  return ScatterElements(zeros, targets.labels.view({-1}), each.view({-1}), {{"reduction", "add"}})
      .to(ctx.dtype(2));
}

TensorList grad(const GradContext& ctx) {
  TensorList grads = ctx.none();
  const Tensor& scores = ctx.input(0);
  const bool weighted = ctx.has_input(2);
  if (ctx.has_grad(0)) {
    if (ctx.needs(0))
      grads[0] = SoftmaxCrossEntropyLossGrad(ctx.grad(0), scores, ctx.input(1),
                                             weighted ? ctx.input(2) : Tensor(), ctx.attrs);
    if (weighted && ctx.needs(2)) grads[2] = weights_grad(ctx);
  }
  if (ctx.has_grad(1) && ctx.needs(0)) {
    const Attrs axis{{"axis", 1}};
    const Tensor dx = LogSoftmaxGrad(ctx.grad(1), LogSoftmax(scores, axis), axis);
    grads[0] = grads[0].defined() ? grads[0] + dx : dx;
  }
  return grads;
}

void samples(Samples& s) {
  const Arg labels = arg::ints({2, 0, 1, 2});
  const Arg pixels = arg::fixed(Tensor::from<int64_t>({0, 2, 1, 1, 2, 0}, {2, 3}));
  const auto weights = [](int64_t c) { return arg::range({c}, 0.5, 2); };
  s.add({arg::any({4, 3}), labels});
  s.add({arg::any({4, 3}), labels, weights(3)}, {{"reduction", "sum"}}).outputs = 2;
  s.add({arg::any({2, 3, 3}), pixels, weights(3)}, {{"reduction", "none"}});
  s.add({arg::any({2, 3, 3}), pixels, weights(3)}, {{"ignore_index", 1}}).outputs = 2;
  s.add({arg::any({4, 3}), arg::ints({2, -100, 1, -100})}, {{"ignore_index", -100}});
  s.add({arg::any({4, 3}), arg::fixed(Tensor::from<int32_t>({1, 1, 0, 2}, {4}))});
  s.bad({arg::any({4, 3}), arg::ints({1, 2})}, {},
        "labels must have the scores' shape without axis 1");
  s.bad({arg::any({4}), labels}, {}, "scores are f32[4]; they take [N, C, ...]");
  s.bad({arg::any({4, 3}), labels, weights(4)}, {}, "weights are f32[4]; they must have shape [3]");
  s.bad({arg::any({4, 3}), labels}, {{"reduction", "max"}}, "use one of none, mean, sum");
}

}  // namespace

constinit const OpDef SoftmaxCrossEntropyLoss{
    .name = "SoftmaxCrossEntropyLoss",
    .doc =
        "Minus the log of the softmax of scores [N, C, d...] at each label [N, d...], weighted and "
        "reduced.",
    .inputs = {{"scores", "T"}, {"labels", "Tind"}, optional("weights", "T")},
    .outputs = {{"output", "T"}, optional("log_prob", "T")},
    .types = {{"T", kFloats}, {"Tind", kIndex}},
    .attrs = {attr("ignore_index", AttrType::i), attr_s("reduction", "mean", "none|mean|sum")},
    .infer = infer,
    .expand = expand,
    .grad = {grad, saves::all_inputs},
    .onnx = {.since = 12},
    .samples = samples,
};

}  // namespace tenon::op
