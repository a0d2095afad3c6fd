// SoftmaxCrossEntropyLossGrad: the gradient of the loss with respect to its scores.
#include "ops/logic/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/loss_rules.h"
#include "ops/nn/precision.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  loss_rules::check(ctx, 1);
  const Dims wanted = loss_rules::loss_dims(ctx, ctx.dims(2));
  bool fits = ctx.rank(0) == wanted.size();
  for (size_t i = 0; fits && i < wanted.size(); ++i) fits = !differ(ctx.dims(0)[i], wanted[i]);
  ctx.check(fits, "dLoss is {}; with reduction {} it must have shape {}", ctx.str(0),
            ctx.s("reduction"), str(wanted));
  ctx.output(0, ctx.dims(1));
}

// (softmax(scores) - one_hot(label)) * weight * dLoss, divided by all weights for a mean.
TensorList expand(const ExpandContext& ctx) {
  const Tensor& scores = ctx.input(1);
  const DType type = compute_type(scores.dtype());
  const Tensor weights = ctx.has_input(3) ? ctx.input(3) : Tensor();
  const loss_rules::Targets targets = loss_rules::targets(ctx, ctx.input(2), weights, type);
  const Dim classes = scores.dims()[1];
  TENON_CHECK(classes.is_const(), unsupported,
              "SoftmaxCrossEntropyLoss: scores have an unknown number of classes; "
              "fix it to differentiate the loss");
  tenon::Shape column(scores.rank() - 1, 1);
  column[0] = classes.value();
  const Tensor axis = Tensor::ints({1});
  const Tensor one_hot =
      Equal(Unsqueeze(targets.labels, axis), Tensor::arange(classes.value()).view(column));
  Tensor scale = ctx.input(0).to(type);
  if (targets.weight.defined()) scale = scale * targets.weight;
  if (ctx.s("reduction") == "mean") scale = scale / loss_rules::total_weight(targets, type);
  if (scale.rank() != 0) scale = Unsqueeze(scale, axis);
  return {
      ((Softmax(scores.to(type), {{"axis", 1}}) - one_hot.to(type)) * scale).to(scores.dtype())};
}

void samples(Samples& s) {
  const Arg labels = arg::ints({2, 0, 1, 2});
  const Arg pixels = arg::fixed(Tensor::from<int64_t>({0, 2, 1, 1, 2, 0}, {2, 3}));
  const auto weights = [](int64_t c) { return arg::range({c}, 0.5, 2); };
  s.add({arg::any({}), arg::any({4, 3}), labels});
  s.add({arg::any({}), arg::any({4, 3}), labels, weights(3)}, {{"reduction", "sum"}});
  s.add({arg::any({2, 3}), arg::any({2, 3, 3}), pixels, weights(3)}, {{"reduction", "none"}});
  s.add({arg::any({}), arg::any({2, 3, 3}), pixels, weights(3)}, {{"ignore_index", 1}});
  s.add({arg::any({}), arg::any({4, 3}), arg::ints({2, -100, 1, -100})}, {{"ignore_index", -100}});
  s.bad({arg::any({4}), arg::any({4, 3}), labels}, {},
        "dLoss is f32[4]; with reduction mean it must have shape []");
  s.bad({arg::any({}), arg::any({4, 3}), arg::ints({1, 2})}, {},
        "labels must have the scores' shape without axis 1");
}

}  // namespace

constinit const OpDef SoftmaxCrossEntropyLossGrad{
    .name = "SoftmaxCrossEntropyLossGrad",
    .doc = "d(loss)/d(scores) of SoftmaxCrossEntropyLoss from dLoss and its inputs.",
    .inputs = {{"dLoss", "T"}, {"scores", "T"}, {"labels", "Tind"}, optional("weights", "T")},
    .outputs = {{"dScores", "T"}},
    .types = {{"T", kFloats}, {"Tind", kIndex}},
    .attrs = {attr("ignore_index", AttrType::i), attr_s("reduction", "mean", "none|mean|sum")},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = no_onnx("a gradient; graphs that are exported have none"),
    .samples = samples,
};

}  // namespace tenon::op
