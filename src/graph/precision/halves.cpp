// Building the graph with Cast in it.
#include "graph/precision/halves.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "graph/precision/half_role.h"
#include "graph/quantize/layers.h"
#include "ops/catalog.h"
#include "ops/math/catalog.h"

namespace tenon::graph {

namespace {

bool holds(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// Whether a list of layers has the node, by its name or a value's.
bool names_node(const std::vector<std::string>& names, const Graph& graph, const Node& node) {
  if (names.empty()) return false;
  if (!node.name.empty() && holds(names, node.name)) return true;
  return std::ranges::any_of(node.outputs, [&](ValueId id) {
    return id != kNoValue && holds(names, graph.value(id).name);
  });
}

void check_operators(const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const OpDef* op : op::all()) known.emplace_back(op->name);
  for (const std::string& name : names)
    TENON_CHECK(holds(known, name), usage, "to_halves: no operator is named {}{}; see tenon ops",
                name, text::did_you_mean(name, known));
}

// The largest finite number that rounds to itself.
double largest_of(DType type) { return type == DType::f16 ? 65504.0 : 0x1.fep127; }

// Finite numbers stay finite.
Tensor rounded(const Tensor& constant, DType type) {
  Tensor bounded = constant.contiguous().clone();
  const auto most = static_cast<float>(largest_of(type));
  auto* x = bounded.data<float>();
  for (int64_t i = 0; i < bounded.numel(); ++i)
    if (std::isfinite(x[i])) x[i] = std::clamp(x[i], -most, most);
  return bounded.to(type);
}

class Builder {
 public:
  Builder(const Graph& from, const HalvesOptions& options)
      : from_(from),
        options_(options),
        wide_(from.values().size(), kNoValue),
        half_(from.values().size(), kNoValue),
        is_half_(from.values().size(), false) {}

  InHalves run() {
    to_.name = from_.name;
    for (const ValueId id : from_.inputs)
      wide_[at(id)] = to_.add_input(from_.value(id).name, from_.value(id).type);
    for (const Node& node : from_.nodes()) add(node);
    for (const ValueId id : from_.outputs) {
      const ValueId made = wide(id);
      to_.outputs.push_back(made);
      if (to_.value(made).name != from_.value(id).name && to_.value(made).producer >= 0)
        to_.rename(made, from_.value(id).name);
    }
    to_.remove_unused();
    return {std::move(to_), std::move(layers_)};
  }

 private:
  static size_t at(ValueId id) { return static_cast<size_t>(id); }

  ValueId node(const OpDef& op, std::vector<ValueId> inputs, const Attrs& attrs,
               const std::string& name) {
    return to_.node(to_.add_node(op, attrs, std::move(inputs), 1, name, origin_)).outputs[0];
  }
  ValueId cast(ValueId id, DType type, const std::string& name) {
    return node(op::Cast, {id}, {{"to", static_cast<int64_t>(type)}},
                fmt::format("{}_to_{}", name, tenon::name(type)));
  }

  bool is_f32(ValueId id) const { return from_.value(id).type.dtype == DType::f32; }
  const Tensor* constant(ValueId id) const {
    const Value& value = from_.value(id);
    return value.is_constant() ? &value.type.constant : nullptr;
  }

  // What readers in f32 read.
  ValueId wide(ValueId id) {
    if (id == kNoValue) return kNoValue;
    ValueId& made = wide_[at(id)];
    if (made != kNoValue) return made;
    const std::string& name = from_.value(id).name;
    if (const Tensor* contents = constant(id)) return made = to_.add_constant(name, *contents);
    TENON_BUG_IF(half_[at(id)] == kNoValue, "value {} is read before it is made", name);
    return made = cast(half_[at(id)], DType::f32, name);
  }

  // What readers in 16 bits read.
  ValueId half(ValueId id, bool is_mask) {
    if (id == kNoValue || !is_f32(id)) return wide(id);
    ValueId& made = half_[at(id)];
    if (made != kNoValue) return made;
    const std::string& name = from_.value(id).name;
    if (const Tensor* contents = constant(id))
      return made = to_.add_constant(name, rounded(*contents, options_.type));
    ValueId from = wide(id);
    if (is_mask) {
      const ValueId least =
          to_.add_constant(name + "_least", Tensor::scalar(-largest_of(options_.type)));
      from = node(op::Clip, {from, least}, {}, name + "_bounded");
    }
    return made = cast(from, options_.type, name);
  }

  bool is_wanted(const Node& node, HalfRole role) const {
    if (holds(options_.without_operators, node.op->name)) return false;
    if (names_node(options_.without_layers, from_, node)) return false;
    if (role == HalfRole::follows) return true;
    if (!options_.operators.empty() && !holds(options_.operators, node.op->name)) return false;
    return options_.layers.empty() || names_node(options_.layers, from_, node);
  }

  // Whether everything it reads and rounds comes in 16 bits, or is constant.
  bool follows(const Node& node) const {
    bool any = false;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id == kNoValue || !is_half_port(node, i) || !is_f32(id) || constant(id)) continue;
      if (!is_half_[at(id)]) return false;
      any = true;
    }
    return any || looks_up(node);
  }

  // Rows of a constant table, by what is only known when it runs.
  bool looks_up(const Node& node) const {
    if (node.op->name != "Gather" || node.inputs.size() < 2) return false;
    const Tensor* table = constant(node.inputs[0]);
    return table && table->rank() == 2 && !constant(node.inputs[1]);
  }

  bool in_halves(const Node& node) const {
    const HalfRole role = half_role(from_, node);
    if (role == HalfRole::island || !is_wanted(node, role)) return false;
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (node.inputs[i] != kNoValue && is_half_port(node, i) && !is_f32(node.inputs[i]))
        return false;
    const auto made = std::ranges::find_if(node.outputs, [](ValueId id) { return id != kNoValue; });
    if (made == node.outputs.end() || !is_f32(*made)) return false;
    return role == HalfRole::computes || follows(node);
  }

  void add(const Node& given) {
    origin_ = given.origin;
    const bool in_half = in_halves(given);
    std::vector<ValueId> inputs;
    for (size_t i = 0; i < given.inputs.size(); ++i)
      inputs.push_back(in_half && is_half_port(given, i)
                           ? half(given.inputs[i], is_mask_port(given, i))
                           : wide(given.inputs[i]));
    if (in_half && half_role(from_, given) == HalfRole::computes)
      layers_.push_back(layer_name(from_, given));
    const NodeId made = to_.add_node(*given.op, given.attrs, std::move(inputs),
                                     given.outputs.size(), given.name, origin_);
    for (size_t i = 0; i < given.outputs.size(); ++i) {
      const ValueId id = given.outputs[i];
      if (id == kNoValue) continue;
      const ValueId output = to_.node(made).outputs[i];
      to_.rename(output, from_.value(id).name);
      is_half_[at(id)] = is_f32(id) && to_.value(output).type.dtype == options_.type;
      (is_half_[at(id)] ? half_ : wide_)[at(id)] = output;
    }
  }

  const Graph& from_;
  const HalvesOptions& options_;
  Graph to_;
  std::vector<ValueId> wide_, half_;  // by value of `from_`
  std::vector<bool> is_half_;         // by value: made in 16 bits
  std::vector<std::string> layers_;
  std::string origin_;
};

}  // namespace

InHalves to_halves(const Graph& graph, const HalvesOptions& options) {
  TENON_CHECK(is_half(options.type), usage, "to_halves: {} has no 16 bits; use bf16 or f16",
              name(options.type));
  check_operators(options.operators);
  check_operators(options.without_operators);
  return Builder(graph, options).run();
}

}  // namespace tenon::graph
