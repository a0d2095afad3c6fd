// The rules a graph keeps, and its text form.
#include <unordered_set>

#include "graph/graph.h"

namespace tenon::graph {

namespace {

std::string where(const Node& node, size_t index) {
  return fmt::format("node {} ({}{}{})", index, node.op->name, node.name.empty() ? "" : " ",
                     node.name);
}

}  // namespace

void Graph::verify() const {
  std::unordered_set<ValueId> ready(inputs.begin(), inputs.end());
  TENON_BUG_IF(ready.size() != inputs.size(), "graph {}: an input is listed twice", name);
  const auto exists = [&](ValueId id) {
    return id >= 0 && static_cast<size_t>(id) < values_.size();
  };
  for (size_t v = 0; v < values_.size(); ++v)
    if (values_[v].is_constant()) ready.insert(static_cast<ValueId>(v));
  for (size_t n = 0; n < nodes_.size(); ++n) {
    const Node& node = nodes_[n];
    std::vector<TensorType> types;
    for (ValueId id : node.inputs) {
      TENON_BUG_IF(id != kNoValue && (!exists(id) || !ready.contains(id)),
                   "graph {}: {} reads value {} before it is made", name, where(node, n), id);
      types.push_back(id == kNoValue ? TensorType() : value(id).type);
    }
    const auto results = tenon::infer(*node.op, node.attrs, types, node.outputs.size());
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (id == kNoValue) continue;
      TENON_BUG_IF(!exists(id) || !ready.insert(id).second,
                   "graph {}: {} makes value {} a second time", name, where(node, n), id);
      TENON_BUG_IF(value(id).producer != static_cast<NodeId>(n),
                   "graph {}: value {} does not name {} as its maker", name, value(id).name,
                   where(node, n));
      const TensorType& type = value(id).type;
      TENON_BUG_IF(type.dtype != results[i].dtype || (type.ranked && results[i].ranked &&
                                                      type.dims.size() != results[i].dims.size()),
                   "graph {}: {} makes {} but value {} is {}", name, where(node, n),
                   results[i].str(), value(id).name, type.str());
    }
  }
  for (ValueId id : outputs)
    TENON_BUG_IF(!exists(id) || !ready.contains(id), "graph {}: output value {} is never made",
                 name, id);
}

std::string Graph::str() const {
  const auto named = [&](ValueId id) {
    return id == kNoValue ? std::string("_") : "%" + value(id).name;
  };
  std::string text = fmt::format("graph {}(", name);
  for (size_t i = 0; i < inputs.size(); ++i)
    text += fmt::format("{}{}: {}", i ? ", " : "", named(inputs[i]), value(inputs[i]).type.str());
  text += ") {\n";
  for (const Value& value : values_)
    if (value.is_constant())
      text += fmt::format("  %{}: {} = {}\n", value.name, value.type.str(),
                          value.parameter ? "parameter" : "constant");
  for (const Node& node : nodes_) {
    text += "  ";
    for (size_t i = 0; i < node.outputs.size(); ++i)
      text += fmt::format("{}{}: {}", i ? ", " : "", named(node.outputs[i]),
                          node.outputs[i] == kNoValue ? "" : value(node.outputs[i]).type.str());
    text += fmt::format(" = {}(", node.op->name);
    for (size_t i = 0; i < node.inputs.size(); ++i) text += (i ? ", " : "") + named(node.inputs[i]);
    text += ")";
    if (!node.attrs.empty()) text += " {" + node.attrs.str() + "}";
    if (!node.origin.empty()) text += "  # " + node.origin;
    text += "\n";
  }
  text += "  return ";
  for (size_t i = 0; i < outputs.size(); ++i) text += (i ? ", " : "") + named(outputs[i]);
  return text + "\n}\n";
}

}  // namespace tenon::graph
