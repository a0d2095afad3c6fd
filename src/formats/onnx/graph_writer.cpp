#include "formats/onnx/graph_writer.h"

#include <onnx/onnx_pb.h>

#include <algorithm>

#include "formats/onnx/attributes.h"
#include "formats/onnx/lower.h"
#include "formats/onnx/operators.h"
#include "formats/onnx/tensors.h"
#include "formats/onnx/types.h"

namespace tenon::formats {

namespace {

// How many of a node's last inputs are captures of its subgraphs, which ONNX names inside them
// only.
size_t captures_of(const graph::Node& node) {
  if (node.op->name == "If") return node.inputs.size() - 1;
  const AttrValue* count = node.attrs.find("captures");
  return count ? static_cast<size_t>(std::get<int64_t>(*count)) : 0;
}

}  // namespace

GraphWriter::GraphWriter(const graph::Graph& graph, int opset, PlaceTensor place, bool own)
    : graph_(graph),
      opset_(opset),
      place_(std::move(place)),
      own_(own),
      tensors_(tensors_of_values(graph)),
      taken_(std::make_shared<Names>()),
      taken_nodes_(std::make_shared<Names>()),
      domains_(std::make_shared<std::map<std::string, int>>()) {
  for (const graph::Value& value : graph.values()) {
    names_.push_back(value.name);
    taken_->insert(value.name);
  }
}

GraphWriter::GraphWriter(const graph::Graph& graph, const GraphWriter& outer,
                         const std::vector<std::string>& captures)
    : graph_(graph),
      opset_(outer.opset_),
      place_(outer.place_),
      own_(outer.own_),
      tensors_(tensors_of_values(graph)),
      captured_(captures.size()),
      names_(graph.values().size()),
      taken_(outer.taken_),
      taken_nodes_(outer.taken_nodes_),
      domains_(outer.domains_) {
  const size_t formal = graph.inputs.size() - captures.size();
  for (size_t i = 0; i < captures.size(); ++i)
    names_[static_cast<size_t>(graph.inputs[formal + i])] = captures[i];
  for (size_t v = 0; v < names_.size(); ++v)
    if (names_[v].empty()) names_[v] = unique_name(graph.values()[v].name);
}

std::string GraphWriter::unique_name(std::string wanted) {
  while (!taken_->insert(wanted).second) wanted += "_";
  return wanted;
}

// Nodes that a pass made of one node have its name; other runtimes want names of their own.
std::string GraphWriter::node_name(const graph::Node& node, graph::NodeId id) {
  std::string wanted = node.name.empty() ? fmt::format("{}_{}", node.op->name, id) : node.name;
  if (own_) return wanted;
  while (!taken_nodes_->insert(wanted).second) wanted += "_";
  return wanted;
}

void GraphWriter::write(::onnx::GraphProto& proto) {
  proto.set_name(graph_.name.empty() ? "graph" : graph_.name);
  for (size_t n = 0; n < graph_.nodes().size(); ++n) add_node(static_cast<graph::NodeId>(n), proto);
  for (const auto& [name, tensor] : constants_) {
    auto& initializer = *proto.add_initializer();
    if (!place_ || !place_(tensor, initializer)) write_tensor(tensor, initializer);
    initializer.set_name(name);
  }
  for (size_t i = 0; i + captured_ < graph_.inputs.size(); ++i)
    add_value(graph_.inputs[i], *proto.add_input());
  for (graph::ValueId id : graph_.outputs) add_value(id, *proto.add_output());
  if (own_) return;
  for (const graph::Node& node : graph_.nodes())
    for (graph::ValueId id : node.outputs)
      if (id != graph::kNoValue && std::ranges::find(graph_.outputs, id) == graph_.outputs.end())
        add_value(id, *proto.add_value_info());
}

void GraphWriter::add_value(graph::ValueId id, ::onnx::ValueInfoProto& proto) const {
  proto.set_name(name_of(id));
  write_type(graph_.value(id).type, *proto.mutable_type());
}

void GraphWriter::add_node(graph::NodeId id, ::onnx::GraphProto& graph_proto) {
  const graph::Node& node = graph_.node(id);
  OnnxNode spelled = spell(graph_, id, opset_, tensors_);
  if (node.op->onnx.since == 0) spelled.domain = kOwnDomain;
  if (!spelled.domain.empty()) {
    int& version = (*domains_)[spelled.domain];
    version = std::max({version, node.op->onnx.since, 1});
  }
  auto& proto = *graph_proto.add_node();
  proto.set_name(node_name(node, id));
  proto.set_op_type(spelled.op_type);
  if (!spelled.domain.empty()) proto.set_domain(spelled.domain);
  if (own_) proto.set_doc_string(node.origin);
  std::vector<std::string> inputs;
  for (size_t i = 0; i < spelled.inputs.size(); ++i)
    inputs.push_back(input_name(node, spelled.inputs[i], i));

  const bool holds_graphs = std::ranges::any_of(spelled.attrs.list(), [](const Attr& attr) {
    return std::holds_alternative<std::shared_ptr<const Subgraph>>(attr.value);
  });
  std::vector<std::string> captures;
  if (holds_graphs) {
    const size_t formal = inputs.size() - captures_of(node);
    captures.assign(inputs.begin() + static_cast<ptrdiff_t>(formal), inputs.end());
    inputs.resize(formal);
    spelled.attrs = spelled.attrs.without("captures");
  }
  while (!inputs.empty() && inputs.back().empty()) inputs.pop_back();
  for (std::string& input : inputs) proto.add_input(std::move(input));
  for (graph::ValueId output : node.outputs)
    proto.add_output(output == graph::kNoValue ? std::string() : name_of(output));

  const bool canonical = spelled.op_type == node.op->name;
  for (const Attr& attr : spelled.attrs.list()) {
    auto& attribute = *proto.add_attribute();
    if (const auto* held = std::get_if<std::shared_ptr<const Subgraph>>(&attr.value)) {
      const auto* subgraph = dynamic_cast<const graph::Graph*>(held->get());
      TENON_CHECK(subgraph, unsupported,
                  "{}: attribute {} is a graph written in C++; capture it as a graph to export it",
                  describe(graph_, id), attr.name);
      attribute.set_name(attr.name);
      attribute.set_type(::onnx::AttributeProto::GRAPH);
      GraphWriter(*subgraph, *this, captures).write(*attribute.mutable_g());
    } else {
      write_attribute(attr, canonical ? node.op->find_attr(attr.name) : nullptr, attribute,
                      describe(graph_, id));
    }
  }
}

// The name of a node's input: one of the graph's values, or a constant that lowering made.
std::string GraphWriter::input_name(const graph::Node& node, const Tensor& tensor, size_t i) {
  if (!tensor.defined()) return {};
  for (graph::ValueId id : node.inputs) {
    if (id == graph::kNoValue || !tensors_[static_cast<size_t>(id)].same_as(tensor)) continue;
    const graph::Value& value = graph_.value(id);
    if (value.is_constant() && written_.insert(id).second)
      constants_.emplace_back(name_of(id), value.type.constant);
    return name_of(id);
  }
  TENON_BUG_IF(tensor.is_symbolic(), "lowering {} for opset {} reads a value that the node did not",
               node.op->name, opset_);
  std::string name = unique_name(fmt::format(
      "{}_{}", node.outputs[0] == graph::kNoValue ? node.name : name_of(node.outputs[0]), i));
  constants_.emplace_back(name, tensor);
  return name;
}

}  // namespace tenon::formats
