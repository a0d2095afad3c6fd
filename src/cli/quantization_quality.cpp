#include "cli/quantization_quality.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/progress.h"
#include "base/trace.h"
#include "cli/model_inputs.h"
#include "engine/session.h"
#include "profile/statistics.h"

namespace tenon::cli {

namespace {

constexpr int kWarmup = 2;
constexpr size_t kFewestRuns = 5, kMostRuns = 50;
constexpr double kSeconds = 1.5;  // of timing, both together

int64_t constant_bytes(const graph::Graph& graph) {
  int64_t bytes = 0;
  for (const graph::Value& value : graph.values())
    if (value.is_constant() && !is_container(value.type.dtype))
      bytes += static_cast<int64_t>(value.type.constant.bytes());
  return bytes;
}

double run_ms(const engine::Session& session, const TensorList& inputs) {
  const int64_t begin = trace::now_ns();
  session.run(inputs);
  return static_cast<double>(trace::now_ns() - begin) * 1e-6;
}

void time_both(const engine::Session& before, const engine::Session& after,
               const TensorList& inputs, Quality& quality) {
  for (int i = 0; i < kWarmup; ++i) run_ms(before, inputs), run_ms(after, inputs);
  std::vector<double> a, b;
  const int64_t begin = trace::now_ns();
  while (a.size() < kFewestRuns ||
         (a.size() < kMostRuns && static_cast<double>(trace::now_ns() - begin) * 1e-9 < kSeconds)) {
    a.push_back(run_ms(before, inputs));
    b.push_back(run_ms(after, inputs));
  }
  quality.fastest_before = *std::ranges::min_element(a);
  quality.fastest_after = *std::ranges::min_element(b);
  quality.ms_before = profile::summarize(std::move(a)).median;
  quality.ms_after = profile::summarize(std::move(b)).median;
}

struct NoiseSums {
  double signal = 0, noise = 0, largest = 0, difference = 0;

  void add(const Tensor& wanted, const Tensor& given) {
    if (wanted.shape() != given.shape()) return;
    const Tensor x = wanted.to(DType::f32).contiguous(), y = given.to(DType::f32).contiguous();
    for (int64_t i = 0; i < x.numel(); ++i) {
      const auto a = static_cast<double>(x.data<float>()[i]),
                 b = static_cast<double>(y.data<float>()[i]);
      // Infinite scores of masked places are no signal.
      if (!std::isfinite(a) || !std::isfinite(b)) continue;
      signal += a * a;
      noise += (a - b) * (a - b);
      largest = std::max(largest, std::abs(a));
      difference = std::max(difference, std::abs(a - b));
    }
  }
  OutputNoise result(const std::string& output) const {
    return {output,
            noise > 0 ? 10 * std::log10(signal / noise) : std::numeric_limits<double>::infinity(),
            largest > 0 ? difference / largest : difference};
  }
};

std::vector<OutputNoise> measure_noise(const QuantizedModel& model, const engine::Session& before,
                                       const engine::Session& after,
                                       const graph::Dataset& samples) {
  const graph::Graph& graph = model.original;
  std::vector<NoiseSums> sums(graph.outputs.size());
  Progress progress("compare", samples.size, "sample");
  for (size_t i = 0; i < samples.size; ++i) {
    const TensorList inputs = samples.get(i);
    const TensorList wanted = before.run(inputs), given = after.run(inputs);
    for (size_t k = 0; k < sums.size(); ++k)
      if (is_float(wanted[k].dtype())) sums[k].add(wanted[k], given[k]);
    progress.advance();
  }
  progress.finish();
  std::vector<OutputNoise> outputs;
  for (size_t k = 0; k < sums.size(); ++k) {
    const graph::Value& value = graph.value(graph.outputs[k]);
    if (is_float(value.type.dtype)) outputs.push_back(sums[k].result(value.name));
  }
  return outputs;
}

std::optional<Accuracy> measure_accuracy(const QuantizedModel& model,
                                         const Calibration& calibration) {
  if (!calibration.evaluate) return std::nullopt;
  if (model.before && model.after) return Accuracy{*model.before, *model.after, std::nullopt, 0};
  const train::Evaluation before = calibration.evaluate(model.original);
  if (!before.accuracy) return std::nullopt;
  const train::Evaluation after = calibration.evaluate(model.quantized);
  return Accuracy{*before.accuracy, *after.accuracy, train::agreement(before, after), before.items};
}

}  // namespace

Quality measure_quality(const QuantizedModel& model, const Calibration& calibration) {
  Quality quality{.bytes_before = constant_bytes(model.original),
                  .bytes_after = constant_bytes(model.quantized)};
  const engine::Session before(model.original), after(model.quantized);
  const graph::Dataset& samples = calibration.samples;
  time_both(before, after, samples.size > 0 ? samples.get(0) : random_inputs(model.original, {}, 1),
            quality);
  if (samples.size > 0) quality.outputs = measure_noise(model, before, after, samples);
  quality.accuracy = measure_accuracy(model, calibration);
  return quality;
}

}  // namespace tenon::cli
