// The plain loop over nodes, and the check of what a caller feeds a graph.
#include "graph/interpreter.h"

#include "base/trace.h"
#include "runtime/dispatch.h"

namespace tenon::graph {

Interpreter::Interpreter(const Graph& graph)
    : graph_(graph), constants_(graph.values().size()), last_uses_(graph.nodes().size()) {
  std::vector<NodeId> last(graph.values().size(), -1);
  for (size_t v = 0; v < graph.values().size(); ++v) {
    const Value& value = graph.values()[v];
    if (value.is_constant()) constants_[v] = value.type.constant;
    last[v] = value.producer;
  }
  for (size_t n = 0; n < graph.nodes().size(); ++n)
    for (ValueId id : graph.nodes()[n].inputs)
      if (id != kNoValue) last[static_cast<size_t>(id)] = static_cast<NodeId>(n);
  for (ValueId id : graph.outputs) last[static_cast<size_t>(id)] = -1;
  for (size_t v = 0; v < last.size(); ++v)
    if (last[v] >= 0 && !graph.values()[v].is_constant())
      last_uses_[static_cast<size_t>(last[v])].push_back(static_cast<ValueId>(v));
}

void Interpreter::set_constant(ValueId id, Tensor tensor) {
  TENON_BUG_IF(!graph_.value(id).is_constant(), "value {} is not a constant",
               graph_.value(id).name);
  constants_[static_cast<size_t>(id)] = std::move(tensor);
}

void check_inputs(const Graph& graph, const TensorList& inputs, std::string_view where) {
  TENON_CHECK(inputs.size() == graph.inputs.size(), usage,
              "{}: {} inputs given; the graph takes {}", where, inputs.size(), graph.inputs.size());
  Dim::Bindings bound;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& wanted = graph.value(graph.inputs[i]);
    TENON_CHECK(inputs[i].defined(), usage, "{}: input {} is missing; it is {}", where, wanted.name,
                wanted.type.str());
    const TensorType given = TensorType::of(inputs[i], false);
    bool fits = given.dtype == wanted.type.dtype;
    if (wanted.type.dtype == DType::optional && given.dtype != DType::optional) {
      fits = true;  // what an optional holds stands for it
    } else if (is_container(given.dtype)) {
      fits = fits && (!given.element || !wanted.type.element ||
                      given.element->dtype == wanted.type.element->dtype);
    } else if (wanted.type.ranked && !inputs[i].is_symbolic()) {
      fits = fits && given.dims.size() == wanted.type.dims.size();
      for (size_t d = 0; fits && d < given.dims.size(); ++d) {
        const Dim& dim = wanted.type.dims[d];
        if (!given.dims[d].is_const()) continue;
        const int64_t size = given.dims[d].value();
        const auto names = dim.symbols();
        if (dim.is_const()) {
          fits = dim.value() == size;
        } else if (names.size() == 1 && dim == Dim::symbol(names[0])) {
          const auto [at, is_new] = bound.emplace(names[0], size);
          TENON_CHECK(is_new || at->second == size, usage,
                      "{}: input {} is {}: axis {} is {}, but {} was {} in an earlier input; they "
                      "must agree",
                      where, wanted.name, given.str(), d, size, names[0], at->second);
        }
      }
    }
    TENON_CHECK(fits, usage, "{}: input {} is {}; give one of {}", where, wanted.name, given.str(),
                wanted.type.str());
  }
}

TensorList Interpreter::run(const TensorList& inputs) const {
  check_inputs(graph_, inputs, graph_.name.empty() ? "graph" : graph_.name);
  std::vector<Tensor> values(constants_);
  for (size_t i = 0; i < inputs.size(); ++i)
    values[static_cast<size_t>(graph_.inputs[i])] = inputs[i];

  static const Tensor absent;
  std::vector<const Tensor*> args;
  for (size_t n = 0; n < graph_.nodes().size(); ++n) {
    const Node& node = graph_.nodes()[n];
    args.clear();
    for (ValueId id : node.inputs)
      args.push_back(id == kNoValue ? &absent : &values[static_cast<size_t>(id)]);
    const int64_t begin = on_node ? trace::now_ns() : 0;
    TensorList results = with_context(
        [&] {
          return "while running " + (node.origin.empty()
                                         ? fmt::format("node {} ({})", n, node.op->name)
                                         : node.origin);
        },
        [&] { return apply(*node.op, args, node.attrs, node.outputs.size()); });
    if (on_node)
      on_node(static_cast<NodeId>(n), results, static_cast<double>(trace::now_ns() - begin) * 1e-9);
    for (size_t i = 0; i < node.outputs.size(); ++i)
      if (node.outputs[i] != kNoValue)
        values[static_cast<size_t>(node.outputs[i])] = std::move(results[i]);
    for (ValueId id : last_uses_[n]) values[static_cast<size_t>(id)] = Tensor();
  }
  TensorList outputs;
  for (ValueId id : graph_.outputs) outputs.push_back(values[static_cast<size_t>(id)]);
  return outputs;
}

}  // namespace tenon::graph
