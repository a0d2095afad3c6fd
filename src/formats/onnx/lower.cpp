// Chooses, for each node, between taking it as it is, rewriting it and writing it out.
#include "formats/onnx/lower.h"

#include <algorithm>
#include <unordered_set>

#include "formats/onnx/error_kind.h"
#include "formats/onnx/export.h"
#include "graph/capture.h"
#include "ops/grad.h"
#include "runtime/dispatch.h"

namespace tenon::formats {

namespace {

constexpr int kMaxRounds = 16;  // expansions of expansions

enum class Way { as_is, lower, expand };

// Whether the form that `opset` has is the canonical one with fewer types.
bool is_same_in(const OpDef& op, int opset) {
  const OnnxForm::Older* form = nullptr;
  for (const OnnxForm::Older& older : op.onnx.older)
    if (older.since <= opset) form = &older;
  return form && form->upgrade == upgrade::as_is;
}

Way way_of(const graph::Graph& graph, graph::NodeId id, int opset, const TensorList& tensors) {
  const OpDef& op = *graph.node(id).op;
  // What arranges calls and containers only does so with tensors at hand.
  const bool expands = op.expand.fn != nullptr && !op.structural;
  if (op.onnx.since == 0) {
    TENON_CHECK(expands, unsupported,
                "{}: ONNX has no such operator: {}; export a graph without it", describe(graph, id),
                op.onnx.reason);
    return Way::expand;
  }
  // Other domains count their versions apart; export writes the version that the operator needs.
  if (!op.onnx.domain.empty() || op.onnx.since <= opset) return Way::as_is;
  if (op.onnx.lower) {
    try {
      OnnxNode probe = spell(graph, id, opset, tensors);
      return Way::lower;
    } catch (const Error& error) {
      if (!expands || error.kind() == ErrorKind::bug) throw;
      return Way::expand;
    }
  }
  if (is_same_in(op, opset)) return Way::as_is;
  TENON_CHECK(expands, unsupported,
              "{}: ONNX has it in this form from opset {} on, and opset {} was asked for; {}",
              describe(graph, id), op.onnx.since, opset,
              op.onnx.since <= kMaxExportOpset
                  ? fmt::format("export opset {}", op.onnx.since)
                  : fmt::format("opsets past {} are not written", kMaxExportOpset));
  return Way::expand;
}

class Expander {
 public:
  Expander(const graph::Graph& graph, int opset)
      : graph_(graph),
        opset_(opset),
        tensors_(tensors_of_values(graph)),
        recorder_(graph::Recorder::create(graph.name)) {}

  graph::Graph run(bool& changed) {
    values_.resize(graph_.values().size());
    for (graph::ValueId id : graph_.inputs)
      values_[static_cast<size_t>(id)] =
          recorder_->input(graph_.value(id).name, graph_.value(id).type);
    for (size_t v = 0; v < graph_.values().size(); ++v) {
      const graph::Value& value = graph_.values()[v];
      if (!value.is_constant()) continue;
      values_[v] = value.type.constant;
      recorder_->value_of(value.type.constant, value.name);
    }
    for (size_t n = 0; n < graph_.nodes().size(); ++n)
      changed |= add(static_cast<graph::NodeId>(n));
    changed |= changed_inside_;
    TensorList outputs;
    std::vector<std::string> names;
    std::unordered_set<std::string> taken;
    for (graph::ValueId id : graph_.inputs) taken.insert(graph_.value(id).name);
    for (graph::ValueId id : graph_.outputs) {
      outputs.push_back(values_[static_cast<size_t>(id)]);
      // An output that is an input, or is listed twice, needs a name beside the one it has.
      std::string name = graph_.value(id).name;
      while (!taken.insert(name).second) name += "_output";
      names.push_back(std::move(name));
    }
    return recorder_->finish(outputs, names);
  }

 private:
  bool add(graph::NodeId id) {
    const graph::Node& node = graph_.node(id);
    TensorList inputs;
    for (graph::ValueId input : node.inputs)
      inputs.push_back(input == graph::kNoValue ? Tensor() : values_[static_cast<size_t>(input)]);
    recorder_->set_origin(node.name, node.origin);
    const bool expand = way_of(graph_, id, opset_, tensors_) == Way::expand;
    TensorList outputs;
    if (!expand) {
      std::vector<const Tensor*> pointers;
      for (const Tensor& input : inputs) pointers.push_back(&input);
      bool inside = false;
      outputs = recorder_->record(*node.op, pointers, expanded_attrs(node.attrs, inside),
                                  node.outputs.size());
      changed_inside_ |= inside;
    } else {
      // With concrete inputs alone the expansion would be computed; it is to be written.
      const auto symbolic = [](const Tensor& t) { return t.defined() && t.is_symbolic(); };
      const auto first = std::ranges::find_if(inputs, &Tensor::defined);
      if (first != inputs.end() && std::ranges::none_of(inputs, symbolic))
        *first = recorder_->tensor_of(recorder_->value_of(*first));
      outputs = with_context([&] { return "while writing out " + describe(graph_, id); },
                             [&] {
                               return node.op->expand.fn(ExpandContext(*node.op, node.attrs, inputs,
                                                                       node.outputs.size()));
                             });
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const graph::ValueId output = node.outputs[i];
      if (output == graph::kNoValue) continue;
      values_[static_cast<size_t>(output)] = outputs[i];
      // An expansion may hand an input on, which keeps its own name.
      const graph::ValueId made = recorder_->value_of(outputs[i]);
      if (recorder_->graph().value(made).producer >= 0 && named_.insert(made).second)
        recorder_->graph().rename(made, graph_.value(output).name);
    }
    return expand;
  }

  // With the graphs among them expanded too.
  Attrs expanded_attrs(const Attrs& attrs, bool& changed) const {
    Attrs result = attrs;
    for (const Attr& attr : attrs.list()) {
      const auto* held = std::get_if<std::shared_ptr<const Subgraph>>(&attr.value);
      const auto* subgraph = held ? dynamic_cast<const graph::Graph*>(held->get()) : nullptr;
      if (!subgraph) continue;
      bool one = false;
      auto expanded = std::make_shared<graph::Graph>(Expander(*subgraph, opset_).run(one));
      if (!one) continue;
      changed = true;
      result = result.with({attr.name, std::shared_ptr<const Subgraph>(std::move(expanded))});
    }
    return result;
  }

  const graph::Graph& graph_;
  const int opset_;
  const TensorList tensors_;
  bool changed_inside_ = false;
  std::shared_ptr<graph::Recorder> recorder_;
  TensorList values_;
  std::unordered_set<graph::ValueId> named_;
};

}  // namespace

std::string describe(const graph::Graph& graph, graph::NodeId id) {
  const graph::Node& node = graph.node(id);
  return fmt::format("node {} ({})", node.name.empty() ? std::to_string(id) : node.name,
                     node.op->name);
}

TensorList tensors_of_values(const graph::Graph& graph) {
  TensorList tensors;
  for (const graph::Value& value : graph.values())
    tensors.push_back(value.is_constant() ? value.type.constant
                                          : Tensor::symbolic(value.type.dtype, value.type.dims,
                                                             make_ref<Attachment>()));
  return tensors;
}

OnnxNode spell(const graph::Graph& graph, graph::NodeId id, int opset, const TensorList& tensors) {
  const graph::Node& node = graph.node(id);
  OnnxNode spelled;
  spelled.name = node.name;
  spelled.domain = node.op->onnx.domain;
  spelled.op_type = node.op->name;
  spelled.opset = opset;
  for (graph::ValueId input : node.inputs)
    spelled.inputs.push_back(input == graph::kNoValue ? Tensor()
                                                      : tensors[static_cast<size_t>(input)]);
  spelled.attrs = node.attrs;
  spelled.output_count = node.outputs.size();
  if (spelled.domain.empty() && node.op->onnx.since > opset && node.op->onnx.lower) {
    try {
      with_context(
          [&] { return fmt::format("while writing {} for opset {}", describe(graph, id), opset); },
          [&] { node.op->onnx.lower(spelled); });
    } catch (const Error& error) {
      // A shape that is not known lacks the axis that lowering asks for: nobody's mistake.
      if (error.kind() != ErrorKind::usage) throw;
      throw as_kind(error, ErrorKind::unsupported);
    }
  }
  return spelled;
}

graph::Graph expand_for_opset(const graph::Graph& graph, int opset) {
  const NoGrad no_grad;
  bool changed = false;
  graph::Graph result = Expander(graph, opset).run(changed);
  for (int round = 1; changed; ++round) {
    TENON_BUG_IF(round == kMaxRounds, "expansions of graph {} do not end", graph.name);
    changed = false;
    result = Expander(result, opset).run(changed);
  }
  return result;
}

}  // namespace tenon::formats
