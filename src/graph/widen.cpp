#include "graph/widen.h"

#include <algorithm>

#include "graph/capture.h"
#include "ops/catalog.h"

namespace tenon::graph {

namespace {

// Whether the operator computes the same on wider inputs, but for precision.
bool widens(const Node& node) {
  if (node.op->structural || node.op == &op::BitCast) return false;
  return std::ranges::all_of(node.op->inputs, [&](const Port& port) {
    const TypeSet types = node.op->find_type(port.type_var)->set;
    return types.has(DType::f32) || !(types.has(DType::f16) || types.has(DType::bf16));
  });
}

class Widener {
 public:
  explicit Widener(const Graph& graph)
      : graph_(graph), recorder_(Recorder::create(graph.name)), values_(graph.values().size()) {}

  Graph run() {
    for (ValueId id : graph_.inputs)
      set(id, recorder_->input(graph_.value(id).name, graph_.value(id).type));
    for (size_t v = 0; v < graph_.values().size(); ++v) {
      const Value& value = graph_.values()[v];
      if (!value.is_constant()) continue;
      const bool half = is_half(value.type.dtype);
      values_[v] = half ? value.type.constant.to(DType::f32) : value.type.constant;
      recorder_->value_of(values_[v], value.name);
    }
    for (const Node& node : graph_.nodes()) add(node);
    TensorList outputs;
    std::vector<std::string> names;
    for (ValueId id : graph_.outputs) {
      outputs.push_back(narrow(id));
      names.push_back(graph_.value(id).name);
    }
    return recorder_->finish(outputs, names);
  }

 private:
  Tensor cast(const Tensor& tensor, DType type) {
    const Tensor* inputs[] = {&tensor};
    return recorder_->record(op::Cast, inputs, {{"to", static_cast<int64_t>(type)}}, 1)[0];
  }

  void set(ValueId id, const Tensor& tensor) {
    if (id == kNoValue) return;
    values_[static_cast<size_t>(id)] =
        tensor.defined() && is_half(tensor.dtype()) ? cast(tensor, DType::f32) : tensor;
  }

  // The value as the graph has it.
  Tensor narrow(ValueId id) {
    if (id == kNoValue) return {};
    const Value& value = graph_.value(id);
    if (value.is_constant()) return value.type.constant;
    const Tensor& wide = values_[static_cast<size_t>(id)];
    return is_half(value.type.dtype) ? cast(wide, value.type.dtype) : wide;
  }

  void add(const Node& node) {
    recorder_->set_origin(node.name, node.origin);
    const bool wide = widens(node);
    TensorList inputs;
    for (ValueId id : node.inputs)
      inputs.push_back(!wide            ? narrow(id)
                       : id == kNoValue ? Tensor()
                                        : values_[static_cast<size_t>(id)]);
    std::vector<const Tensor*> pointers;
    for (const Tensor& input : inputs) pointers.push_back(&input);
    const TensorList outputs =
        recorder_->record(*node.op, pointers, node.attrs, node.outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) set(node.outputs[i], outputs[i]);
  }

  const Graph& graph_;
  std::shared_ptr<Recorder> recorder_;
  TensorList values_;
};

}  // namespace

Graph widen_halves(const Graph& graph) {
  const bool any = std::ranges::any_of(
      graph.values(), [](const Value& value) { return is_half(value.type.dtype); });
  return any ? Widener(graph).run() : graph;
}

}  // namespace tenon::graph
