// The recorder and the symbolic tensors that lead to it.
#include "graph/capture.h"

#include <algorithm>

#include "runtime/dispatch.h"

namespace tenon::graph {

namespace {

class TracedValue final : public Symbol {
 public:
  TracedValue(std::shared_ptr<Recorder> recorder, ValueId id)
      : recorder(std::move(recorder)), id(id) {}
  TensorList record(const OpDef& op, std::span<const Tensor* const> inputs, const Attrs& attrs,
                    size_t output_count) override {
    return recorder->record(op, inputs, attrs, output_count);
  }
  const std::shared_ptr<Recorder> recorder;
  const ValueId id;
};

bool same_view(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && a.strides() == b.strides();
}

}  // namespace

std::shared_ptr<Recorder> Recorder::create(std::string graph_name, const NamedTensors& names) {
  std::shared_ptr<Recorder> recorder(new Recorder(names));
  recorder->graph_.name = std::move(graph_name);
  return recorder;
}

Tensor Recorder::input(std::string name, DType type, Dims dims) {
  return tensor_of(graph_.add_input(std::move(name), type, std::move(dims)));
}

Tensor Recorder::input(std::string name, TensorType type) {
  return tensor_of(graph_.add_input(std::move(name), std::move(type)));
}

Tensor Recorder::tensor_of(ValueId id) {
  const TensorType& type = graph_.value(id).type;
  return Tensor::symbolic(type.dtype, type.dims,
                          Ref<Attachment>(make_ref<TracedValue>(shared_from_this(), id)));
}

ValueId Recorder::value_of(const Tensor& tensor, const std::string& name) {
  if (!tensor.defined()) return kNoValue;
  if (tensor.is_symbolic()) {
    const auto& traced = static_cast<const TracedValue&>(*tensor.symbol());
    TENON_CHECK(
        traced.recorder.get() == this, usage,
        "capture of {}: a symbolic tensor of another capture ({}) is used; pass it as an input",
        graph_.name, traced.recorder->graph_.name);
    return traced.id;
  }
  const void* data = tensor.raw();
  const auto range = constants_.equal_range(data);
  for (auto it = range.first; it != range.second; ++it)
    if (same_view(it->second.tensor, tensor)) return it->second.id;
  std::string chosen = name;
  for (const auto& [given, known] : names_)
    if (known.raw() == data && same_view(known, tensor)) chosen = given;
  // Small tensors come and go at the same address while a function runs, so the graph keeps its own
  // reference, which also holds the address.
  const ValueId id = graph_.add_constant(chosen.empty() ? "constant" : chosen, tensor.detach(),
                                         tensor.requires_grad());
  constants_.emplace(data, Known{tensor, id});
  return id;
}

TensorType Recorder::type_of(const Tensor& tensor) {
  if (tensor.defined() && tensor.is_symbolic()) return graph_.value(value_of(tensor)).type;
  return TensorType::of(tensor, true);
}

void Recorder::set_origin(std::string node_name, std::string origin) {
  node_name_ = std::move(node_name);
  origin_ = std::move(origin);
}

TensorList Recorder::record(const OpDef& op, std::span<const Tensor* const> inputs,
                            const Attrs& attrs, size_t output_count) {
  TENON_CHECK(!finished_, usage,
              "{}: a symbolic tensor is used after its capture ended; capture it again", op.name);
  std::vector<ValueId> ids;
  for (const Tensor* input : inputs) ids.push_back(value_of(*input));
  const NodeId node = graph_.add_node(op, attrs, std::move(ids), output_count, node_name_, origin_);
  TensorList outputs;
  for (ValueId id : graph_.node(node).outputs) outputs.push_back(tensor_of(id));
  return outputs;
}

Graph Recorder::finish(const TensorList& outputs, const std::vector<std::string>& output_names) {
  TENON_CHECK(output_names.empty() || output_names.size() == outputs.size(), usage,
              "capture of {}: {} output names for {} outputs; give one an output", graph_.name,
              output_names.size(), outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    ValueId id = value_of(outputs[i]);
    // An output that is an input, a constant, or another output gets a value of its own to be
    // named.
    const bool taken =
        std::find(graph_.outputs.begin(), graph_.outputs.end(), id) != graph_.outputs.end();
    if (!output_names.empty() && (graph_.value(id).producer < 0 || taken)) {
      const OpDef* identity = op::find("Identity");
      id = graph_.node(graph_.add_node(*identity, {}, {id}, 1)).outputs[0];
    }
    if (!output_names.empty()) graph_.rename(id, output_names[i]);
    graph_.outputs.push_back(id);
  }
  finished_ = true;
  constants_.clear();
  graph_.remove_unused();
  return std::move(graph_);
}

Graph capture(const Function& function, const std::vector<InputSpec>& inputs,
              const std::vector<std::string>& output_names, const NamedTensors& names) {
  const auto recorder = Recorder::create("captured", names);
  TensorList symbols;
  for (const InputSpec& input : inputs)
    symbols.push_back(recorder->input(input.name, input.dtype, input.dims));
  return recorder->finish(function(symbols), output_names);
}

}  // namespace tenon::graph
