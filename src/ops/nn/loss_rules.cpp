// Losses of classification: checks, and the loss in simple operators.
#include "ops/nn/loss_rules.h"

#include "ops/logic/catalog.h"
#include "ops/nn/windows.h"
#include "ops/shape/catalog.h"

namespace tenon::loss_rules {

void check(const InferContext& ctx, size_t at) {
  const Dims& scores = ctx.dims(at);
  const Dims& labels = ctx.dims(at + 1);
  ctx.check(scores.size() >= 2, "scores are {}; they take [N, C, ...] of rank 2 or more",
            ctx.str(at));
  bool fits = labels.size() + 1 == scores.size();
  for (size_t i = 0; fits && i < labels.size(); ++i)
    fits = !differ(labels[i], scores[i == 0 ? 0 : i + 1]);
  ctx.check(fits, "scores are {} and labels {}; labels must have the scores' shape without axis 1",
            ctx.str(at), ctx.str(at + 1));
  if (!ctx.has_input(at + 2)) return;
  const Dims& weights = ctx.dims(at + 2);
  ctx.check(weights.size() == 1 && !differ(weights[0], scores[1]),
            "weights are {}; they must have shape [{}]", ctx.str(at + 2), scores[1].str());
}

Dims loss_dims(const InferContext& ctx, const Dims& labels) {
  return ctx.s("reduction") == "none" ? labels : Dims{};
}

Targets targets(const Call& call, const Tensor& labels, const Tensor& weights, DType type) {
  Targets t;
  t.labels = labels.to(DType::i64);
  if (call.has("ignore_index")) {
    const auto ignored = constant_like(t.labels, static_cast<double>(call.i("ignore_index")));
    t.valid = op::Not(op::Equal(t.labels, ignored));
    t.labels = op::Where(t.valid, t.labels, constant_like(t.labels, 0));
  }
  if (weights.defined()) t.weight = op::Gather(weights.to(type), t.labels);
  if (t.valid.defined())
    t.weight = t.weight.defined() ? t.weight * t.valid.to(type) : t.valid.to(type);
  return t;
}

Tensor pick(const Tensor& values, const Targets& targets) {
  const Tensor axis = Tensor::ints({1});
  return op::Squeeze(op::GatherElements(values, op::Unsqueeze(targets.labels, axis), {{"axis", 1}}),
                     axis);
}

Tensor total_weight(const Targets& targets, DType type) {
  if (targets.weight.defined()) return targets.weight.sum();
  return full(targets.labels.dims(), 1, type, targets.labels).sum();
}

Tensor negative_log_likelihood(const Call& call, const Tensor& log_prob, const Targets& targets) {
  Tensor loss = -pick(log_prob, targets);
  if (targets.weight.defined()) loss = loss * targets.weight;
  // A label that is ignored counts nothing even where its log-probability is infinite.
  if (targets.valid.defined()) loss = op::Where(targets.valid, loss, constant_like(loss, 0));
  if (call.s("reduction") == "none") return loss;
  if (call.s("reduction") == "sum") return loss.sum();
  return targets.weight.defined() ? loss.sum() / targets.weight.sum() : loss.mean();
}

}  // namespace tenon::loss_rules
