// Losses: one number from predictions and targets.
#pragma once

#include <optional>

#include "tensor/tensor.h"

namespace tenon::nn {

enum class Reduction : uint8_t { mean, sum, none };

// logits [batch, classes, ...], labels [batch, ...] integers; the mean over all labels but
// `ignore_index`. op::SoftmaxCrossEntropyLoss.
Tensor cross_entropy(const Tensor& logits, const Tensor& labels,
                     Reduction reduction = Reduction::mean,
                     std::optional<int64_t> ignore_index = {});
// (x - y)^2
Tensor mse_loss(const Tensor& x, const Tensor& y, Reduction reduction = Reduction::mean);

}  // namespace tenon::nn
