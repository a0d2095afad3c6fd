#include "graph/quantize/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/progress.h"
#include "graph/interpreter.h"
#include "runtime/dispatch.h"

namespace tenon::graph {

namespace {

std::vector<std::vector<float>> outputs_of(const Graph& graph, const Dataset& samples) {
  const NoGrad no_grad;
  const Interpreter interpreter(graph);
  std::vector<std::vector<float>> outputs;
  for (size_t i = 0; i < samples.size; ++i) {
    const Tensor first = interpreter.run(samples.get(i))[0];
    TENON_CHECK(is_float(first.dtype()), unsupported,
                "quantize: the first output is {}; errors of layers are measured on floats",
                name(first.dtype()));
    outputs.push_back(first.to(DType::f32).to_vector<float>());
  }
  return outputs;
}

LayerError compare(const std::vector<std::vector<float>>& wanted,
                   const std::vector<std::vector<float>>& given) {
  LayerError error;
  double signal = 0, noise = 0, most = 0, difference = 0;
  for (size_t i = 0; i < wanted.size(); ++i)
    for (size_t k = 0; k < wanted[i].size() && k < given[i].size(); ++k) {
      const auto x = static_cast<double>(wanted[i][k]), y = static_cast<double>(given[i][k]);
      signal += x * x;
      noise += (x - y) * (x - y);
      most = std::max(most, std::abs(x));
      difference = std::max(difference, std::abs(x - y));
    }
  error.signal_to_noise =
      noise > 0 ? 10 * std::log10(signal / noise) : std::numeric_limits<double>::infinity();
  error.largest = most > 0 ? difference / most : difference;
  return error;
}

}  // namespace

std::vector<LayerError> layer_errors(const Quantizer& quantizer, const Dataset& samples) {
  const std::vector<std::string> layers = quantizer.layers();
  const auto wanted = outputs_of(quantizer.original(), samples);
  std::vector<LayerError> errors;
  Progress progress("sensitivity", layers.size(), "layer");
  for (const std::string& layer : layers) {
    LayerError error = compare(wanted, outputs_of(quantizer.quantize_only({layer}), samples));
    error.layer = layer;
    errors.push_back(std::move(error));
    progress.advance();
  }
  progress.finish();
  std::ranges::stable_sort(errors, {}, &LayerError::signal_to_noise);
  return errors;
}

LimitedResult quantize_within(const Quantizer& quantizer, const Dataset& samples,
                              const Metric& metric, double limit) {
  LimitedResult result;
  result.before = metric(quantizer.original());
  result.graph = quantizer.quantize();
  result.after = metric(result.graph);
  if (result.before - result.after <= limit) return result;
  const std::vector<LayerError> errors = layer_errors(quantizer, samples);
  // The result with the first `count` layers in floats; keeps it where it holds the limit.
  const auto holds = [&](size_t count) {
    std::vector<std::string> in_floats;
    for (size_t i = 0; i < count; ++i) in_floats.push_back(errors[i].layer);
    Graph graph = quantizer.quantize(in_floats);
    const double value = metric(graph);
    const bool fine = result.before - value <= limit || count == errors.size();
    if (fine) {
      result.graph = std::move(graph);
      result.after = value;
      result.in_floats = std::move(in_floats);
    }
    return fine;
  };
  // Doubled until the limit holds, then halved between: the metric nearly grows with the count.
  size_t low = 0, high = 1;
  while (high < errors.size() && !holds(high)) {
    low = high;
    high = std::min(2 * high, errors.size());
  }
  if (high >= errors.size()) {
    high = errors.size();
    holds(high);
  }
  while (low + 1 < high) {
    const size_t middle = (low + high) / 2;
    (holds(middle) ? high : low) = middle;
  }
  return result;
}

}  // namespace tenon::graph
