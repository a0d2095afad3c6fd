#include "graph/rewrite.h"

#include <algorithm>

#include "ops/math/catalog.h"

namespace tenon::graph {

namespace {

constexpr int64_t kMaxInts = 4096;

}  // namespace

Rewriter::Rewriter(Graph& graph, std::string_view pass)
    : graph_(graph),
      pass_(pass),
      first_added_(static_cast<NodeId>(graph.nodes().size())),
      users_(graph.values().size()),
      alive_(graph.nodes().size(), true) {
  for (size_t n = 0; n < graph.nodes().size(); ++n) {
    place_.push_back(static_cast<NodeId>(n));
    link(static_cast<NodeId>(n));
  }
  // Readers first, so that whole dead chains go.
  for (size_t n = graph.nodes().size(); n-- > 0;)
    if (alive_[n] && !needed(static_cast<NodeId>(n))) drop(static_cast<NodeId>(n));
  for (size_t v = 0; v < users_.size() && !touched_; ++v) {
    const auto id = static_cast<ValueId>(v);
    touched_ = users_[v].empty() && producer(id) < 0 && !is_output(id) &&
               std::ranges::find(graph.inputs, id) == graph.inputs.end();
  }
}

std::vector<NodeId> Rewriter::nodes() const {
  std::vector<NodeId> list;
  for (size_t n = 0; n < graph_.nodes().size(); ++n)
    if (alive_[n]) list.push_back(static_cast<NodeId>(n));
  return list;
}

std::optional<Shape> Rewriter::shape(ValueId id) const {
  return type(id).ranked ? to_shape(type(id).dims) : std::nullopt;
}

NodeId Rewriter::producer(ValueId id) const {
  return id == kNoValue ? -1 : graph_.value(id).producer;
}

const Node* Rewriter::made_by(ValueId id, const OpDef& op) const {
  const NodeId maker = producer(id);
  if (maker < 0) return nullptr;
  const Node& found = node(maker);
  return found.op == &op && found.outputs[0] == id ? &found : nullptr;
}

std::span<const NodeId> Rewriter::users(ValueId id) const {
  return users_[static_cast<size_t>(id)];
}

bool Rewriter::is_output(ValueId id) const {
  return std::ranges::find(graph_.outputs, id) != graph_.outputs.end();
}

const Tensor* Rewriter::constant(ValueId id) const {
  if (id == kNoValue) return nullptr;
  const Value& value = graph_.value(id);
  return value.is_constant() && !value.parameter ? &value.type.constant : nullptr;
}

std::optional<double> Rewriter::scalar(ValueId id) const {
  const Tensor* tensor = constant(id);
  if (!tensor || tensor->numel() != 1 || !kNumeric.has(tensor->dtype())) return std::nullopt;
  return tensor->item<double>();
}

std::optional<std::vector<int64_t>> Rewriter::ints(ValueId id) const {
  const Tensor* tensor = constant(id);
  if (!tensor || !is_int(tensor->dtype()) || tensor->numel() > kMaxInts) return std::nullopt;
  return tensor->to_vector<int64_t>();
}

void Rewriter::link(NodeId id) {
  for (ValueId input : node(id).inputs)
    if (input != kNoValue) users_[static_cast<size_t>(input)].push_back(id);
}

bool Rewriter::needed(NodeId id) const {
  return std::ranges::any_of(node(id).outputs, [&](ValueId output) {
    return output != kNoValue && (!users(output).empty() || is_output(output));
  });
}

void Rewriter::drop(NodeId id) {
  touched_ = true;
  std::vector<NodeId> dead{id};
  while (!dead.empty()) {
    const NodeId next = dead.back();
    dead.pop_back();
    if (!alive(next)) continue;
    alive_[static_cast<size_t>(next)] = false;
    for (ValueId input : node(next).inputs) {
      if (input == kNoValue) continue;
      std::erase(users_[static_cast<size_t>(input)], next);
      const NodeId maker = producer(input);
      if (maker >= 0 && alive(maker) && !needed(maker)) dead.push_back(maker);
    }
  }
}

ValueId Rewriter::add(const OpDef& op, std::vector<ValueId> inputs, const Attrs& attrs) {
  return add_all(op, std::move(inputs), attrs, 1)[0];
}

std::vector<ValueId> Rewriter::add_all(const OpDef& op, std::vector<ValueId> inputs,
                                       const Attrs& attrs, size_t output_count) {
  touched_ = true;
  std::string node_name, origin;
  if (at_ >= 0) {
    node_name = node(at_).name;
    origin = node(at_).origin;
    if (origin.find(pass_) == std::string::npos)
      origin = fmt::format("{}{}{}", origin, origin.empty() ? "" : ", ", pass_);
  }
  const NodeId id = graph_.add_node(op, attrs, std::move(inputs), output_count,
                                    std::move(node_name), std::move(origin));
  users_.resize(graph_.values().size());
  alive_.push_back(true);
  place_.push_back(at_ >= 0 ? place_[static_cast<size_t>(at_)] : id);
  link(id);
  return node(id).outputs;
}

ValueId Rewriter::constant(Tensor contents, std::string name) {
  touched_ = true;
  const ValueId id = graph_.add_constant(std::move(name), std::move(contents));
  users_.resize(graph_.values().size());
  return id;
}

void Rewriter::replace(ValueId old, ValueId by) {
  if (old == by) return;
  touched_ = true;
  TENON_BUG_IF(type(old).dtype != type(by).dtype, "{}: {} replaces {} as value {}", pass_,
               type(by).str(), type(old).str(), graph_.value(old).name);
  bool changed = !users(old).empty();
  // The new value may itself be computed from the old one: that reader stays.
  std::vector<NodeId> staying;
  for (NodeId user : std::vector<NodeId>(users(old).begin(), users(old).end())) {
    Node& reader = graph_.nodes_[static_cast<size_t>(user)];
    if (producer(by) == user) {
      staying.push_back(user);
      continue;
    }
    for (ValueId& input : reader.inputs)
      if (input == old) {
        input = by;
        users_[static_cast<size_t>(by)].push_back(user);
        break;  // users() lists it once an input
      }
  }
  users_[static_cast<size_t>(old)] = std::move(staying);
  if (is_output(old)) {
    const Node* copy = made_by(old, op::Identity);
    const bool own = graph_.value(by).producer >= 0 && !is_output(by);
    if (own || !copy || copy->inputs[0] != by) {
      // Outputs keep their names, and an input or a constant cannot be one itself.
      const ValueId output = own ? by : add(op::Identity, {by});
      std::ranges::replace(graph_.outputs, old, output);
      graph_.rename(output, graph_.value(old).name);
      changed = true;
    }
  }
  if (producer(by) >= first_added_ && !is_output(by)) graph_.rename(by, graph_.value(old).name);
  const NodeId maker = producer(old);
  if (maker >= 0 && alive(maker) && !needed(maker)) drop(maker);
  TensorType& type = graph_.value(by).type;
  const TensorType& before = graph_.value(old).type;
  if (!graph_.value(by).is_constant() && before.ranked) {
    if (!type.ranked) {
      type.ranked = true;
      type.dims = before.dims;
    }
    for (size_t i = 0; i < type.dims.size() && i < before.dims.size(); ++i)
      if (type.dims[i].is_unknown() && !before.dims[i].is_unknown()) type.dims[i] = before.dims[i];
  }
  changes_ += changed ? 1 : 0;
}

void Rewriter::set_attrs(NodeId id, const Attrs& attrs) {
  touched_ = true;
  graph_.nodes_[static_cast<size_t>(id)].attrs = attrs;
}

bool Rewriter::refine(ValueId id, const TensorType& known) {
  TensorType& type = graph_.value(id).type;
  if (type.constant.defined() || is_container(type.dtype) || !known.ranked) return false;
  bool news = false;
  const auto learn = [&](std::vector<Dim>& have, const std::vector<Dim>& from) {
    if (have.size() != from.size()) return;
    for (size_t i = 0; i < have.size(); ++i) {
      if (!have[i].is_unknown() || from[i].is_unknown()) continue;
      have[i] = from[i];
      news = true;
    }
  };
  if (!type.ranked) {
    type.ranked = true;
    type.dims = known.dims;
    news = true;
  }
  learn(type.dims, known.dims);
  if (known.values && !type.values) {
    type.values = known.values;
    news = true;
  } else if (known.values) {
    learn(*type.values, *known.values);
  }
  changes_ += news ? 1 : 0;
  touched_ = touched_ || news;
  return news;
}

void Rewriter::finish() {
  if (!touched_) return;
  std::vector<NodeId> wanted = nodes();
  std::ranges::stable_sort(wanted, {}, [&](NodeId id) { return place_[static_cast<size_t>(id)]; });
  std::vector<NodeId> order;
  std::vector<uint8_t> state(graph_.nodes().size(),
                             0);  // 1: its inputs are being placed, 2: placed
  std::vector<NodeId> stack;
  for (NodeId root : wanted) {
    stack.push_back(root);
    while (!stack.empty()) {
      const NodeId next = stack.back();
      uint8_t& at = state[static_cast<size_t>(next)];
      if (at == 0) {
        at = 1;
        const std::vector<ValueId>& inputs = node(next).inputs;
        for (size_t i = inputs.size(); i-- > 0;) {
          const NodeId maker = producer(inputs[i]);
          if (maker < 0 || state[static_cast<size_t>(maker)] == 2) continue;
          TENON_BUG_IF(state[static_cast<size_t>(maker)] == 1, "{}: node {} depends on itself",
                       pass_, node(maker).name);
          stack.push_back(maker);
        }
      } else {
        stack.pop_back();
        if (at == 1) order.push_back(next);
        at = 2;
      }
    }
  }
  std::vector<Node> sorted;
  for (size_t n = 0; n < order.size(); ++n) {
    sorted.push_back(std::move(graph_.nodes_[static_cast<size_t>(order[n])]));
    for (ValueId output : sorted.back().outputs)
      if (output != kNoValue) graph_.value(output).producer = static_cast<NodeId>(n);
  }
  // Values whose maker is gone are read by nobody: remove_unused() drops them.
  graph_.nodes_ = std::move(sorted);
  graph_.remove_unused();
}

}  // namespace tenon::graph
