#include "graph/quantize/weights.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tenon::graph {

namespace {

constexpr double kMostBias = 1 << 30;

// A tensor seen as [outer, axis, inner].
struct Around {
  int64_t outer = 1, size = 1, inner = 1;

  Around(const Shape& shape, int64_t axis) {
    for (size_t i = 0; i < shape.rank(); ++i) {
      const auto at = static_cast<int64_t>(i);
      (at < axis ? outer : at == axis ? size : inner) *= shape[i];
    }
  }
  size_t index(int64_t element) const { return static_cast<size_t>(element / inner % size); }
};

}  // namespace

IntegerWeights quantize_weights(const Tensor& weights, const Tensor& bias, float x_scale,
                                const WeightOptions& options) {
  const Tensor w = weights.contiguous();
  const auto* from = w.data<float>();
  const Around around(w.shape(), options.axis);
  std::vector<double> most(static_cast<size_t>(around.size), 0);
  for (int64_t i = 0; i < w.numel(); ++i) {
    double& here = most[around.index(i)];
    here = std::max(here, static_cast<double>(std::abs(from[i])));
  }
  if (!options.per_channel) std::ranges::fill(most, *std::ranges::max_element(most));
  std::vector<float> scales;
  const std::vector<float> biases = bias.defined() ? bias.to_vector<float>() : std::vector<float>();
  double least = 0;  // that the biases allow
  for (size_t i = 0; i < most.size(); ++i) {
    double fits = 0;
    if (i < biases.size())
      fits = static_cast<double>(std::abs(biases[i])) / (kMostBias * static_cast<double>(x_scale));
    least = std::max(least, fits);
    const double scale = most[i] > 0 ? most[i] / options.most : 1.0;
    scales.push_back(static_cast<float>(std::max(scale, fits)));
  }
  if (!options.per_channel)
    std::ranges::fill(scales, std::max(scales[0], static_cast<float>(least)));
  IntegerWeights made{Tensor::empty(w.shape(), DType::i8),
                      Tensor::from<float>(scales, {around.size})};
  auto* to = made.bytes.data<int8_t>();
  for (int64_t i = 0; i < w.numel(); ++i) {
    const float steps = std::nearbyint(from[i] / scales[around.index(i)]);
    const auto limit = static_cast<float>(options.most);
    to[i] = static_cast<int8_t>(std::clamp(steps, -limit, limit));
  }
  if (!options.per_channel) made.scale = Tensor::scalar(static_cast<double>(scales[0]));
  return made;
}

IntegerBias quantize_bias(const Tensor& bias, const Tensor& weight_scale, float x_scale) {
  const std::vector<float> values = bias.to_vector<float>(),
                           scales = weight_scale.to_vector<float>();
  const auto count = static_cast<int64_t>(values.size());
  IntegerBias made{Tensor::empty({count}, DType::i32), Tensor::empty({count})};
  for (size_t i = 0; i < values.size(); ++i) {
    const float scale = x_scale * scales[scales.size() == 1 ? 0 : i];
    const double steps =
        std::nearbyint(static_cast<double>(values[i]) / static_cast<double>(scale));
    made.scale.data<float>()[i] = scale;
    made.sums.data<int32_t>()[i] =
        static_cast<int32_t>(std::clamp(steps, -2 * kMostBias + 1, 2 * kMostBias - 1));
  }
  return made;
}

Tensor corrected_bias(const Tensor& weights, const Tensor& bias, const IntegerWeights& rounded,
                      const MeanInputs& inputs) {
  const Tensor w = weights.contiguous();
  const Around around(w.shape(), inputs.axis);
  const std::vector<float> scales = rounded.scale.to_vector<float>();
  const auto maps = static_cast<size_t>(around.size);
  std::vector<double> missing(maps, 0);
  // Of weights [maps, channels / groups, taps...], or matrices.
  const bool matrix = w.rank() == 2;
  const int64_t channels = matrix ? w.numel() / around.size : w.shape()[1];
  const int64_t taps = w.numel() / (around.size * channels);
  if (channels * inputs.groups != static_cast<int64_t>(inputs.means.size())) return bias;
  const auto* real = w.data<float>();
  const auto* bytes = rounded.bytes.data<int8_t>();
  for (int64_t i = 0; i < w.numel(); ++i) {
    const size_t map = around.index(i);
    int64_t channel = 0;
    if (matrix) {
      channel = inputs.axis == 0 ? i % channels : i / around.inner / around.size;
    } else {
      const int64_t group = static_cast<int64_t>(map) / (around.size / inputs.groups);
      channel = group * channels + i / taps % channels;
    }
    const float rounded_to = static_cast<float>(bytes[i]) * scales[scales.size() == 1 ? 0 : map];
    missing[map] +=
        static_cast<double>(real[i] - rounded_to) * inputs.means[static_cast<size_t>(channel)];
  }
  std::vector<float> values(maps, 0);
  if (bias.defined()) values = bias.to_vector<float>();
  for (size_t map = 0; map < maps; ++map) values[map] += static_cast<float>(missing[map]);
  return Tensor::from<float>(values, {around.size});
}

}  // namespace tenon::graph
