// The gradient through LayerNormalization's statistics: outputs of f32, too coarse for the finite
// differences that every other gradient is tested by.
#include <gtest/gtest.h>

#include <cmath>

#include "ops/grad.h"
#include "ops/nn/catalog.h"

namespace tenon {

namespace {

constexpr double kEpsilon = 0.01;

struct Statistics {
  double mean, inv_std;
};
Statistics statistics(const std::vector<double>& x) {
  double mean = 0, variance = 0;
  for (const double value : x) mean += value / static_cast<double>(x.size());
  for (const double value : x)
    variance += (value - mean) * (value - mean) / static_cast<double>(x.size());
  return {mean, 1 / std::sqrt(variance + kEpsilon)};
}

TEST(LayerNormalization, GradientThroughMeanAndInvStdDev) {
  const std::vector<double> values{1, 2, 4, -3};
  const Tensor x = Tensor::from<double>(values, {1, 4}), scale = Tensor::ones({4}, DType::f64);
  const Attrs attrs{{"epsilon", kEpsilon}};
  const TensorList inputs{x, scale}, outputs = op::LayerNormalization.all(inputs, attrs, 3);
  // loss = 3 * Mean - 2 * InvStdDev
  const TensorList grads{Tensor(), Tensor::full({1, 1}, 3, DType::f32),
                         Tensor::full({1, 1}, -2, DType::f32)};
  std::vector<TensorType> input_types, output_types;
  for (const Tensor& input : inputs) input_types.push_back(TensorType::of(input, false));
  for (const Tensor& output : outputs) output_types.push_back(TensorType::of(output, false));
  const TensorList made = op::LayerNormalization.grad.fn(GradContext(
      op::LayerNormalization, attrs, inputs, {}, input_types, output_types, grads, 0b11));

  const auto loss = [](const std::vector<double>& at) {
    const Statistics s = statistics(at);
    return 3 * s.mean - 2 * s.inv_std;
  };
  const std::vector<double> dx = made[0].to_vector<double>();
  for (size_t i = 0; i < values.size(); ++i) {
    std::vector<double> above = values, below = values;
    above[i] += 1e-6;
    below[i] -= 1e-6;
    EXPECT_NEAR(dx[i], (loss(above) - loss(below)) / 2e-6, 1e-7) << i;
  }
}

}  // namespace

}  // namespace tenon
