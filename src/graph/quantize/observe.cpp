#include "graph/quantize/observe.h"

#include "base/progress.h"
#include "graph/interpreter.h"
#include "ops/nn/catalog.h"
#include "runtime/dispatch.h"

namespace tenon::graph {

namespace {

// Sums over all axes but that of the channels.
struct ChannelSums {
  bool last = false;  // the channels are the last axis, else axis 1
  std::vector<double> sums;
  double count = 0;  // of elements a channel

  void add(const Tensor& x) {
    const size_t axis = last || x.rank() < 2 ? x.rank() - 1 : 1;
    const int64_t channels = x.shape()[axis];
    int64_t inner = 1;
    for (size_t i = axis + 1; i < x.rank(); ++i) inner *= x.shape()[i];
    if (sums.empty()) sums.assign(static_cast<size_t>(channels), 0);
    if (static_cast<int64_t>(sums.size()) != channels || channels == 0) return;
    const auto* data = x.data<float>();
    for (int64_t i = 0; i < x.numel(); ++i)
      sums[static_cast<size_t>(i / inner % channels)] += static_cast<double>(data[i]);
    count += static_cast<double>(x.numel() / channels);
  }
};

}  // namespace

Observations observe(const Graph& graph, const LayerPlan& plan, const Dataset& samples) {
  TENON_CHECK(
      samples.size > 0 && samples.get, usage,
      "quantize: no samples are given; ranges of activations are found on some, give 100 or "
      "so");
  Observations seen;
  seen.histograms.resize(graph.values().size());
  std::unordered_map<ValueId, ChannelSums> channels;
  for (size_t n = 0; n < graph.nodes().size(); ++n)
    if (plan.parts[n] == LayerPart::weighted)
      channels[graph.nodes()[n].inputs[0]].last = graph.nodes()[n].op != &op::Conv;
  const auto look = [&](ValueId id, const Tensor& tensor) {
    if (id == kNoValue || tensor.dtype() != DType::f32) return;
    const auto wanted = channels.find(id);
    if (!plan.is_quantized(id) && wanted == channels.end()) return;
    const Tensor x = tensor.contiguous();
    if (plan.is_quantized(id))
      seen.histograms[static_cast<size_t>(id)].add(
          {x.data<float>(), static_cast<size_t>(x.numel())});
    if (wanted != channels.end() && x.rank() > 0) wanted->second.add(x);
  };
  Interpreter interpreter(graph);
  interpreter.on_node = [&](NodeId id, const TensorList& outputs, double) {
    const std::vector<ValueId>& values = graph.node(id).outputs;
    for (size_t i = 0; i < values.size(); ++i) look(values[i], outputs[i]);
  };
  const NoGrad no_grad;
  Progress progress("calibrate", samples.size, "sample");
  for (size_t i = 0; i < samples.size; ++i) {
    const TensorList inputs = samples.get(i);
    for (size_t at = 0; at < inputs.size() && at < graph.inputs.size(); ++at)
      look(graph.inputs[at], inputs[at]);
    interpreter.run(inputs);
    progress.advance();
  }
  progress.finish();
  for (auto& [id, of] : channels) {
    if (of.count == 0) continue;
    for (double& sum : of.sums) sum /= of.count;
    seen.means[id] = std::move(of.sums);
  }
  return seen;
}

}  // namespace tenon::graph
