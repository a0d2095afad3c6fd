#include "graph/quantize/equalize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"

namespace tenon::graph {

namespace {

constexpr int kRounds = 4;  // a chain of convolutions settles step by step
constexpr float kMostFactor = 1e4F;

struct Pair {
  size_t first, second;
};

bool own_constant(const Graph& graph, const std::vector<int>& readers, ValueId id) {
  return id != kNoValue && graph.value(id).is_constant() &&
         graph.value(id).type.dtype == DType::f32 && readers[static_cast<size_t>(id)] == 1;
}

ValueId bias_of(const Node& node) { return node.inputs.size() > 2 ? node.inputs[2] : kNoValue; }

std::vector<Pair> find_pairs(const Graph& graph) {
  std::vector<int> readers(graph.values().size(), 0);
  for (const Node& node : graph.nodes())
    for (ValueId id : node.inputs)
      if (id != kNoValue) ++readers[static_cast<size_t>(id)];
  for (ValueId id : graph.outputs) readers[static_cast<size_t>(id)] += 2;
  const auto conv = [&](const Node& node) {
    return node.op == &op::Conv && own_constant(graph, readers, node.inputs[1]);
  };
  std::vector<Pair> pairs;
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& second = graph.nodes()[n];
    if (!conv(second)) continue;
    ValueId between = second.inputs[0];
    NodeId maker = graph.value(between).producer;
    if (maker >= 0 && graph.node(maker).op == &op::Relu &&
        readers[static_cast<size_t>(between)] == 1) {
      between = graph.node(maker).inputs[0];
      maker = graph.value(between).producer;
    }
    if (maker < 0 || !conv(graph.node(maker)) || readers[static_cast<size_t>(between)] != 1)
      continue;
    const ValueId bias = bias_of(graph.node(maker));
    if (bias == kNoValue || own_constant(graph, readers, bias))
      pairs.push_back({static_cast<size_t>(maker), n});
  }
  return pairs;
}

// Weights [maps, channels / groups, kernel...], seen by map or by input channel.
struct Weights {
  Tensor tensor;
  int64_t maps, groups, group_channels, taps;

  Weights(const Graph& graph, const Node& node)
      : tensor(graph.value(node.inputs[1]).type.constant.contiguous().clone()),
        maps(tensor.shape()[0]),
        groups(Call{*node.op, node.attrs}.i("group")),
        group_channels(tensor.shape()[1]),
        taps(tensor.numel() / std::max<int64_t>(1, maps * group_channels)) {}

  // fn(element, map, input channel)
  template <class Fn>
  void each(const Fn& fn) {
    auto* data = tensor.data<float>();
    for (int64_t m = 0; m < maps; ++m)
      for (int64_t c = 0; c < group_channels; ++c)
        for (int64_t k = 0; k < taps; ++k)
          fn(data[(m * group_channels + c) * taps + k], static_cast<size_t>(m),
             static_cast<size_t>(m / (maps / groups) * group_channels + c));
  }
};

void equalize(Graph& graph, const Pair& pair) {
  const Node &one = graph.nodes()[pair.first], &two = graph.nodes()[pair.second];
  Weights first(graph, one), second(graph, two);
  const auto channels = static_cast<size_t>(first.maps);
  if (first.tensor.numel() == 0 || second.groups * second.group_channels != first.maps) return;
  std::vector<float> out(channels, 0), in(channels, 0), factor(channels, 1);
  first.each([&](float w, size_t map, size_t) { out[map] = std::max(out[map], std::abs(w)); });
  second.each([&](float w, size_t, size_t c) { in[c] = std::max(in[c], std::abs(w)); });
  for (size_t c = 0; c < channels; ++c)
    if (out[c] > 0 && in[c] > 0)
      factor[c] = std::clamp(std::sqrt(out[c] / in[c]), 1 / kMostFactor, kMostFactor);
  first.each([&](float& w, size_t map, size_t) { w /= factor[map]; });
  second.each([&](float& w, size_t, size_t c) { w *= factor[c]; });
  if (const ValueId bias = bias_of(one); bias != kNoValue) {
    Tensor changed = graph.value(bias).type.constant.contiguous().clone();
    for (size_t c = 0; c < channels; ++c) changed.data<float>()[c] /= factor[c];
    graph.value(bias).type.constant = changed;
  }
  graph.value(one.inputs[1]).type.constant = first.tensor;
  graph.value(two.inputs[1]).type.constant = second.tensor;
}

}  // namespace

int equalize_layers(Graph& graph) {
  const std::vector<Pair> pairs = find_pairs(graph);
  for (int round = 0; round < kRounds; ++round)
    for (const Pair& pair : pairs) equalize(graph, pair);
  return static_cast<int>(pairs.size());
}

}  // namespace tenon::graph
