// Runs the nodes just recorded if they are small and constant.
#include "formats/onnx/fold.h"

#include <algorithm>
#include <unordered_map>

#include "ops/quant/catalog.h"
#include "runtime/dispatch.h"

namespace tenon::formats {

namespace {

bool is_small(const TensorType& type) {
  if (is_container(type.dtype)) return false;  // files hold no constants of these
  const auto shape = type.ranked ? to_shape(type.dims) : std::nullopt;
  int64_t count = 1;
  for (int64_t size : shape ? *shape : Shape())
    if (__builtin_mul_overflow(count, size, &count)) return false;
  return shape && count <= kMaxFolded;
}

bool holds_graph(const Attrs& attrs) {
  return std::ranges::any_of(attrs.list(), [](const Attr& attr) {
    return std::holds_alternative<std::shared_ptr<const Subgraph>>(attr.value);
  });
}

}  // namespace

void fold_constants(graph::Recorder& recorder, size_t first_node, TensorList& outputs) {
  const graph::Graph& graph = recorder.graph();
  if (graph.nodes().size() == first_node) return;  // nothing was recorded
  std::unordered_map<graph::ValueId, Tensor> values;
  const auto given = [&](graph::ValueId id) {
    const graph::Value& value = graph.value(id);
    return value.is_constant() && !value.parameter && is_small(value.type);
  };
  for (size_t n = first_node; n < graph.nodes().size(); ++n) {
    const graph::Node& node = graph.nodes()[n];
    if (node.op->random || holds_graph(node.attrs)) return;
    // Quantised weights stay so.
    if (node.op == &op::DequantizeLinear) return;
    for (graph::ValueId id : node.outputs)
      if (!is_small(graph.value(id).type)) return;
    for (graph::ValueId id : node.inputs) {
      if (id == graph::kNoValue ||
          graph.value(id).producer >= static_cast<graph::NodeId>(first_node))
        continue;
      if (!given(id)) return;
      values.emplace(id, graph.value(id).type.constant);
    }
  }
  try {
    const NoGrad no_grad;
    static const Tensor absent;
    for (size_t n = first_node; n < graph.nodes().size(); ++n) {
      const graph::Node& node = graph.nodes()[n];
      std::vector<const Tensor*> inputs;
      for (graph::ValueId id : node.inputs)
        inputs.push_back(id == graph::kNoValue ? &absent : &values.at(id));
      TensorList results = apply(*node.op, inputs, node.attrs, node.outputs.size());
      for (size_t i = 0; i < results.size(); ++i) values[node.outputs[i]] = std::move(results[i]);
    }
  } catch (const Error&) {
    return;  // running the graph will say what is wrong, if that node is ever run
  }
  for (Tensor& output : outputs) {
    if (!output.defined() || !output.is_symbolic()) continue;
    const auto known = values.find(recorder.value_of(output));
    if (known != values.end()) output = known->second;
  }
}

}  // namespace tenon::formats
