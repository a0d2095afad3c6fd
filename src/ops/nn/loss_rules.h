// What SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss have in common.
#pragma once

#include "ops/grad.h"
#include "ops/infer.h"

namespace tenon::loss_rules {

// Checks scores [N, C, d...], labels [N, d...] and weights [C], inputs `at` to `at` + 2.
void check(const InferContext& ctx, size_t at);
// The loss: a scalar, or with reduction none [N, d...].
Dims loss_dims(const InferContext& ctx, const Dims& labels);

// Labels with those that are ignored replaced by class 0, and the weight of each.
struct Targets {
  Tensor labels;  // i64
  Tensor valid;   // bool; undefined where no label is ignored
  Tensor weight;  // undefined where all are 1
};
Targets targets(const Call& call, const Tensor& labels, const Tensor& weights, DType type);
// Each label's element of `values` [N, C, d...].
Tensor pick(const Tensor& values, const Targets& targets);
// Sum of the weights of all labels that count.
Tensor total_weight(const Targets& targets, DType type);
// From log-probabilities to the loss.
Tensor negative_log_likelihood(const Call& call, const Tensor& log_prob, const Targets& targets);

}  // namespace tenon::loss_rules
