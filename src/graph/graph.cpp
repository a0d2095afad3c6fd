// Building graphs, and cleaning them.
#include "graph/graph.h"

#include <algorithm>
#include <map>

#include "graph/interpreter.h"

namespace tenon::graph {

namespace {

constexpr size_t kMaxNames = 1'000'000;

}  // namespace

std::string Graph::unique_name(std::string wanted) {
  if (wanted.empty()) wanted = "v";
  if (!names_.contains(wanted)) return wanted;
  for (size_t i = 1; i < kMaxNames; ++i) {
    std::string next = fmt::format("{}_{}", wanted, i);
    if (!names_.contains(next)) return next;
  }
  fail(ErrorKind::unsupported, "graph {}: more than {} values are named {}; name them apart", name,
       kMaxNames, wanted);
}

ValueId Graph::find_value(std::string_view value_name) const {
  const auto found = names_.find(std::string(value_name));
  return found == names_.end() ? kNoValue : found->second;
}

ValueId Graph::add_value(std::string value_name, TensorType type) {
  const auto id = static_cast<ValueId>(values_.size());
  std::string own = unique_name(std::move(value_name));
  names_.emplace(own, id);
  values_.push_back({std::move(own), std::move(type)});
  return id;
}

ValueId Graph::add_input(std::string value_name, DType type, Dims dims) {
  TensorType value_type;
  value_type.dtype = type;
  value_type.dims = std::move(dims);
  return add_input(std::move(value_name), std::move(value_type));
}

ValueId Graph::add_input(std::string value_name, TensorType type) {
  const ValueId id = add_value(std::move(value_name), std::move(type));
  inputs.push_back(id);
  return id;
}

ValueId Graph::add_constant(std::string value_name, Tensor contents, bool parameter) {
  const ValueId id = add_value(std::move(value_name), TensorType::of(contents, true));
  value(id).parameter = parameter;
  return id;
}

NodeId Graph::add_node(const OpDef& op, const Attrs& attrs, std::vector<ValueId> node_inputs,
                       size_t output_count, std::string node_name, std::string origin) {
  std::vector<TensorType> types;
  for (ValueId input : node_inputs)
    types.push_back(input == kNoValue ? TensorType() : value(input).type);
  std::vector<TensorType> results = with_context(
      [&] {
        return fmt::format(
            "at {}", origin.empty() ? fmt::format("node {} of the graph", nodes_.size()) : origin);
      },
      [&] { return tenon::infer(op, attrs, types, output_count); });
  const auto id = static_cast<NodeId>(nodes_.size());
  Node node{std::move(node_name), &op, attrs, std::move(node_inputs), {}, std::move(origin)};
  const std::string stem = node.name.empty() ? std::string(op.name) : node.name;
  for (TensorType& type : results) {
    const ValueId output = add_value(stem, std::move(type));
    value(output).producer = id;
    node.outputs.push_back(output);
  }
  nodes_.push_back(std::move(node));
  return id;
}

void Graph::rename(ValueId id, const std::string& value_name) {
  Value& value = this->value(id);
  if (value.name == value_name) return;
  std::string own = value_name;  // which may be the name of the one that gives it up
  if (const ValueId holder = find_value(own); holder != kNoValue) {
    Value& other = this->value(holder);
    other.name = unique_name(own);
    names_[other.name] = holder;
  }
  names_.erase(value.name);
  names_[own] = id;
  value.name = std::move(own);
}

std::vector<TensorType> Graph::infer(std::span<const TensorType> given) const {
  TENON_CHECK(given.size() == inputs.size(), usage, "graph {}: {} inputs given; it takes {}", name,
              given.size(), inputs.size());
  std::vector<TensorType> types(values_.size());
  for (size_t v = 0; v < values_.size(); ++v)
    if (values_[v].is_constant()) types[v] = values_[v].type;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& wanted = value(inputs[i]);
    TENON_CHECK(given[i].dtype == wanted.type.dtype || wanted.type.dtype == DType::optional, usage,
                "graph {}: input {} is {}; give one of {}", name, wanted.name, given[i].str(),
                wanted.type.str());
    types[static_cast<size_t>(inputs[i])] = given[i];
  }
  for (const Node& node : nodes_) {
    std::vector<TensorType> node_inputs;
    for (ValueId input : node.inputs)
      node_inputs.push_back(input == kNoValue ? TensorType() : types[static_cast<size_t>(input)]);
    std::vector<TensorType> results = with_context(
        [&] { return "at " + (node.origin.empty() ? node.name : node.origin); },
        [&] { return tenon::infer(*node.op, node.attrs, node_inputs, node.outputs.size()); });
    for (size_t i = 0; i < results.size(); ++i)
      if (node.outputs[i] != kNoValue)
        types[static_cast<size_t>(node.outputs[i])] = std::move(results[i]);
  }
  std::vector<TensorType> results;
  for (ValueId output : outputs) results.push_back(types[static_cast<size_t>(output)]);
  return results;
}

Subgraph::Run Graph::runner() const {
  return [run = std::make_shared<const Interpreter>(*this)](const TensorList& given) {
    return run->run(given);
  };
}

int64_t Graph::parameter_count() const {
  int64_t count = 0;
  for (const Value& value : values_)
    if (value.is_constant()) count += value.type.constant.numel();
  return count;
}

std::vector<std::pair<std::string, double>> Graph::flops(const Dim::Bindings& symbols) const {
  std::map<std::string, double> sums;
  const auto bind = [&](TensorType type) {
    for (Dim& dim : type.dims)
      if (auto size = dim.eval(symbols)) dim = Dim(*size);
    return type;
  };
  for (const Node& node : nodes_) {
    std::vector<TensorType> types;
    for (ValueId input : node.inputs)
      types.push_back(input == kNoValue ? TensorType() : bind(value(input).type));
    InferContext ctx(*node.op, node.attrs, types, node.outputs.size());
    for (size_t i = 0; i < node.outputs.size(); ++i)
      ctx.outputs()[i] = bind(value(node.outputs[i]).type);
    double count = 0;
    const auto ranked = [](const TensorType& type) { return type.ranked; };
    if (!std::ranges::all_of(types, ranked) || !std::ranges::all_of(ctx.outputs(), ranked)) {
      // Nothing is known of the work.
    } else if (node.op->flops) {
      count = node.op->flops(ctx);
    } else if (const auto shape = to_shape(ctx.outputs()[0].dims); shape) {
      count = static_cast<double>(shape->numel());
    }
    sums[std::string(node.op->name)] += count;
  }
  std::vector<std::pair<std::string, double>> list(sums.begin(), sums.end());
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return list;
}

void Graph::remove_unused() {
  std::vector<bool> used(values_.size(), false);
  for (ValueId id : outputs) used[static_cast<size_t>(id)] = true;
  for (ValueId id : inputs) used[static_cast<size_t>(id)] = true;
  std::vector<bool> keep(nodes_.size(), false);
  for (size_t n = nodes_.size(); n-- > 0;) {
    const Node& node = nodes_[n];
    keep[n] = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      return id != kNoValue && used[static_cast<size_t>(id)];
    });
    if (!keep[n]) continue;
    for (ValueId id : node.inputs)
      if (id != kNoValue) used[static_cast<size_t>(id)] = true;
    for (ValueId id : node.outputs)
      if (id != kNoValue) used[static_cast<size_t>(id)] = true;
  }
  const auto all = [](const std::vector<bool>& marks) {
    return std::find(marks.begin(), marks.end(), false) == marks.end();
  };
  if (all(used) && all(keep)) return;

  std::vector<ValueId> new_value(values_.size(), kNoValue);
  std::vector<NodeId> new_node(nodes_.size(), -1);
  std::vector<Value> values;
  for (size_t v = 0; v < values_.size(); ++v) {
    if (!used[v]) continue;
    new_value[v] = static_cast<ValueId>(values.size());
    values.push_back(std::move(values_[v]));
  }
  std::vector<Node> nodes;
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (!keep[n]) continue;
    new_node[n] = static_cast<NodeId>(nodes.size());
    nodes.push_back(std::move(nodes_[n]));
  }
  const auto renumber = [&](std::vector<ValueId>& ids) {
    for (ValueId& id : ids)
      if (id != kNoValue) id = new_value[static_cast<size_t>(id)];
  };
  for (Node& node : nodes) {
    renumber(node.inputs);
    renumber(node.outputs);
  }
  renumber(inputs);
  renumber(outputs);
  for (Value& value : values)
    if (value.producer >= 0) value.producer = new_node[static_cast<size_t>(value.producer)];
  values_ = std::move(values);
  nodes_ = std::move(nodes);
  for (auto entry = names_.begin(); entry != names_.end();) {
    entry->second = new_value[static_cast<size_t>(entry->second)];
    entry = entry->second == kNoValue ? names_.erase(entry) : std::next(entry);
  }
}

}  // namespace tenon::graph
