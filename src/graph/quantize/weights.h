// Weights and biases as integers.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/tensor.h"

namespace tenon::graph {

struct WeightOptions {
  int64_t axis = 0;  // of maps or columns
  int most = 127;    // the largest weight
  bool per_channel = true;
};

struct IntegerWeights {
  Tensor bytes;  // i8, of the weights' shape
  Tensor scale;  // f32, one for each index of the axis, or a scalar
};
// Symmetric. Scales are large enough for the biases (one an index of the axis, or undefined) to fit
// 30 bits in steps of x_scale * scale.
IntegerWeights quantize_weights(const Tensor& weights, const Tensor& bias, float x_scale,
                                const WeightOptions& options);

struct IntegerBias {
  Tensor sums;   // i32, rank 1
  Tensor scale;  // f32, one each
};
IntegerBias quantize_bias(const Tensor& bias, const Tensor& weight_scale, float x_scale);

struct MeanInputs {
  int64_t axis = 0;  // of the weights' maps
  int64_t groups = 1;
  std::span<const double> means;  // of each input channel
};
// The bias (undefined: 0) plus what rounding the weights takes from each map on average.
Tensor corrected_bias(const Tensor& weights, const Tensor& bias, const IntegerWeights& rounded,
                      const MeanInputs& inputs);

}  // namespace tenon::graph
