// The transforms written in operators.
#include "ops/ml/scores.h"

#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/reduce/catalog.h"
#include "tensor/tensor.h"

namespace tenon::scores {

PostTransform post_transform(const Call& call) {
  const std::string_view name = call.s("post_transform");
  if (name == "SOFTMAX") return PostTransform::softmax;
  if (name == "LOGISTIC") return PostTransform::logistic;
  if (name == "SOFTMAX_ZERO") return PostTransform::softmax_zero;
  return name == "PROBIT" ? PostTransform::probit : PostTransform::none;
}

namespace {

Tensor probit_of(const Tensor& p) {
  const Tensor x = p * 2.0 - 1.0;
  const Tensor log = op::Log((1.0 - x) * (x + 1.0));
  const Tensor half = log * 0.5 + 2 / (kPi * kWinitzki);
  const Tensor root = op::Sqrt(op::Sqrt(half * half - log * (1 / kWinitzki)) - half);
  return op::Sign(x) * root * kSqrt2;
}

Tensor softmax_zero_of(const Tensor& x) {
  const Tensor columns = Tensor::ints({1});
  const Tensor most = op::ReduceMax(x, columns);
  const Tensor counts = op::Greater(op::Abs(x), constant_like(x, kZeroScore));
  const Tensor powers = op::Exp(x - most);
  const Tensor sum = op::ReduceSum(op::Where(counts, powers, constant_like(x, 0)), columns);
  const Tensor none = op::Equal(sum, constant_like(x, 0));
  const Tensor shares =
      op::Where(counts, powers, x * op::Exp(-most)) / op::Where(none, constant_like(x, 1), sum);
  return op::Where(none, constant_like(x, 0.5), shares);
}

}  // namespace

Tensor transformed(const Tensor& scores, PostTransform how) {
  switch (how) {
    case PostTransform::none: break;
    case PostTransform::softmax: return op::Softmax(scores, {{"axis", 1}});
    case PostTransform::logistic: return op::Sigmoid(scores);
    case PostTransform::softmax_zero: return softmax_zero_of(scores);
    case PostTransform::probit: return probit_of(scores);
  }
  return scores;
}

}  // namespace tenon::scores
