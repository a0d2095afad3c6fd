// NegativeLogLikelihoodLoss: minus the log-probability of each label.
#include "ops/nn/catalog.h"
#include "ops/nn/loss_rules.h"
#include "ops/nn/precision.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  loss_rules::check(ctx, 0);
  ctx.output(0, loss_rules::loss_dims(ctx, ctx.dims(1)));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& input = ctx.input(0);
  const DType type = compute_type(input.dtype());
  const Tensor weights = ctx.has_input(2) ? ctx.input(2) : Tensor();
  const loss_rules::Targets targets = loss_rules::targets(ctx, ctx.input(1), weights, type);
  return {loss_rules::negative_log_likelihood(ctx, input.to(type), targets).to(input.dtype())};
}

void samples(Samples& s) {
  const Arg labels = arg::ints({2, 0, 1, 2});
  const Arg pixels = arg::fixed(Tensor::from<int64_t>({0, 2, 1, 1, 2, 0}, {2, 3}));
  const auto weights = [](int64_t c) { return arg::range({c}, 0.5, 2); };
  s.add({arg::range({4, 3}, -3, -0.1), labels});
  s.add({arg::range({4, 3}, -3, -0.1), labels, weights(3)}, {{"reduction", "sum"}});
  s.add({arg::range({2, 3, 3}, -3, -0.1), pixels, weights(3)}, {{"reduction", "none"}});
  s.add({arg::range({2, 3, 3}, -3, -0.1), pixels, weights(3)}, {{"ignore_index", 1}});
  s.add({arg::range({4, 3}, -3, -0.1), arg::ints({2, -100, 1, -100})}, {{"ignore_index", -100}});
  s.bad({arg::any({4, 3}), arg::ints({1, 2})}, {},
        "labels must have the scores' shape without axis 1");
  s.bad({arg::any({4}), labels}, {}, "scores are f32[4]; they take [N, C, ...]");
  s.bad({arg::any({4, 3}), labels, weights(4)}, {}, "weights are f32[4]; they must have shape [3]");
  s.bad({arg::any({4, 3}), labels}, {{"reduction", "max"}}, "use one of none, mean, sum");
}

}  // namespace

constinit const OpDef NegativeLogLikelihoodLoss{
    .name = "NegativeLogLikelihoodLoss",
    .doc = "Minus the log-probability [N, C, d...] of each label [N, d...], weighted and reduced.",
    .inputs = {{"input", "T"}, {"target", "Tind"}, optional("weight", "T")},
    .outputs = {{"loss", "T"}},
    .types = {{"T", kFloats}, {"Tind", kIndex}},
    .attrs = {attr("ignore_index", AttrType::i), attr_s("reduction", "mean", "none|mean|sum")},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 12},
    .samples = samples,
};

}  // namespace tenon::op
