// Losses in operators.
#include "nn/loss.h"

#include "ops/nn/catalog.h"

namespace tenon::nn {

namespace {

const char* name_of(Reduction reduction) {
  return reduction == Reduction::mean ? "mean" : reduction == Reduction::sum ? "sum" : "none";
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, Reduction reduction,
                     std::optional<int64_t> ignore_index) {
  Attrs attrs{{"reduction", name_of(reduction)}};
  if (ignore_index) attrs = attrs.with({"ignore_index", *ignore_index});
  return op::SoftmaxCrossEntropyLoss(logits, labels, attrs);
}

Tensor mse_loss(const Tensor& x, const Tensor& y, Reduction reduction) {
  const Tensor difference = x - y;
  const Tensor square = difference * difference;
  if (reduction == Reduction::none) return square;
  return reduction == Reduction::sum ? square.sum() : square.mean();
}

}  // namespace tenon::nn
