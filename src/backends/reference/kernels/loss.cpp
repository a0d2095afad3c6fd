// SoftmaxCrossEntropyLoss, its gradient and NegativeLogLikelihoodLoss.
#include <cmath>
#include <optional>
#include <vector>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/nn/catalog.h"

namespace tenon::reference {

namespace {

enum class Reduction : uint8_t { none, mean, sum };

// Scores [N, C, inner], labels [N, inner] and weights [C] of a call whose scores are input `at`.
struct Targets {
  Targets(const PrepareContext& ctx, size_t first)
      : name(ctx.op.name),
        at(first),
        type(ctx.inputs[at].dtype),
        label_type(ctx.inputs[at + 1].dtype),
        labels(ctx.inputs[at + 1].numel()),
        classes(ctx.inputs[at].shape[1]),
        weighted(ctx.has_input(at + 2)),
        reduction(ctx.s("reduction") == "none"  ? Reduction::none
                  : ctx.s("reduction") == "sum" ? Reduction::sum
                                                : Reduction::mean) {
    for (size_t i = 2; i < ctx.inputs[at].rank(); ++i) inner *= ctx.inputs[at].shape[i];
    if (ctx.has("ignore_index")) ignored = ctx.i("ignore_index");
  }

  // Where the score of class 0 for label `i` lies; the others follow at steps of `inner`.
  int64_t start(int64_t i) const { return i / inner * classes * inner + i % inner; }

  // Nothing for a label that is ignored.
  std::optional<int64_t> label(const RunContext& run, int64_t i) const {
    const int64_t label = In<int64_t>(label_type, run.in[at + 1])[i];
    if (ignored == label) return std::nullopt;
    TENON_CHECK(label >= 0 && label < classes, data,
                "{}: label {} at place {} is outside the {} classes; correct the labels or set "
                "ignore_index",
                name, label, i, classes);
    return label;
  }
  double weight(const RunContext& run, int64_t label) const {
    return weighted ? In<double>(type, run.in[at + 2])[label] : 1;
  }
  double total_weight(const RunContext& run) const {
    double total = 0;
    for (int64_t i = 0; i < labels; ++i)
      if (const auto l = label(run, i)) total += weight(run, *l);
    return total;
  }

  std::string_view name;
  size_t at;
  DType type, label_type;
  int64_t labels, classes, inner = 1;
  bool weighted;
  Reduction reduction;
  std::optional<int64_t> ignored;
};

// The log of the sum of exp(score) of one label's line, kept in range by its maximum.
double log_sum_exp(const Targets& t, const In<double>& scores, int64_t i) {
  double max = -INFINITY, sum = 0;
  for (int64_t c = 0; c < t.classes; ++c) max = std::fmax(max, scores[t.start(i) + c * t.inner]);
  for (int64_t c = 0; c < t.classes; ++c) sum += std::exp(scores[t.start(i) + c * t.inner] - max);
  return max + std::log(sum);
}

// Writes the loss; log_prob(i, label) is the log-probability of a label.
template <class LogProb>
void write_loss(const Targets& t, const RunContext& run, LogProb&& log_prob) {
  const Out<double> out(t.type, run.out[0]);
  double sum = 0;
  for (int64_t i = 0; i < t.labels; ++i) {
    const auto label = t.label(run, i);
    const double loss = label ? -log_prob(i, *label) * t.weight(run, *label) : 0;
    sum += loss;
    if (t.reduction == Reduction::none) out.set(i, loss);
  }
  if (t.reduction == Reduction::sum) out.set(0, sum);
  if (t.reduction == Reduction::mean) out.set(0, sum / t.total_weight(run));
}

Prepared prepare_cross_entropy(const PrepareContext& ctx) {
  return make_kernel([t = Targets(ctx, 0), wants_log = ctx.wants_output(1)](const RunContext& run) {
    const In<double> scores(t.type, run.in[0]);
    std::vector<double> logs(static_cast<size_t>(t.labels));
    for (int64_t i = 0; i < t.labels; ++i) logs[static_cast<size_t>(i)] = log_sum_exp(t, scores, i);
    const auto log_prob = [&](int64_t i, int64_t c) {
      return scores[t.start(i) + c * t.inner] - logs[static_cast<size_t>(i)];
    };
    write_loss(t, run, log_prob);
    if (!wants_log) return;
    const Out<double> out(t.type, run.out[1]);
    for (int64_t i = 0; i < t.labels; ++i)
      for (int64_t c = 0; c < t.classes; ++c) out.set(t.start(i) + c * t.inner, log_prob(i, c));
  });
}

Prepared prepare_likelihood(const PrepareContext& ctx) {
  return make_kernel([t = Targets(ctx, 0)](const RunContext& run) {
    const In<double> input(t.type, run.in[0]);
    write_loss(t, run, [&](int64_t i, int64_t c) { return input[t.start(i) + c * t.inner]; });
  });
}

Prepared prepare_cross_entropy_grad(const PrepareContext& ctx) {
  return make_kernel([t = Targets(ctx, 1)](const RunContext& run) {
    const In<double> dloss(t.type, run.in[0]), scores(t.type, run.in[1]);
    const Out<double> dscores(t.type, run.out[0]);
    const double divisor = t.reduction == Reduction::mean ? t.total_weight(run) : 1;
    for (int64_t i = 0; i < t.labels; ++i) {
      const auto label = t.label(run, i);
      const double scale =
          label ? dloss[t.reduction == Reduction::none ? i : 0] * t.weight(run, *label) / divisor
                : 0;
      const double log = log_sum_exp(t, scores, i);
      for (int64_t c = 0; c < t.classes; ++c) {
        const int64_t place = t.start(i) + c * t.inner;
        dscores.set(place,
                    label ? (std::exp(scores[place] - log) - (c == *label ? 1 : 0)) * scale : 0);
      }
    }
  });
}

}  // namespace

constinit const KernelList loss{
    {&op::SoftmaxCrossEntropyLoss, "reference.softmax_cross_entropy_loss", prepare_cross_entropy},
    {&op::NegativeLogLikelihoodLoss, "reference.negative_log_likelihood_loss", prepare_likelihood},
    {&op::SoftmaxCrossEntropyLossGrad, "reference.softmax_cross_entropy_loss_grad",
     prepare_cross_entropy_grad},
};

}  // namespace tenon::reference
