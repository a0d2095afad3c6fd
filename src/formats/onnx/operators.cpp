// Looking a model's operators up in the catalogue.
#include "formats/onnx/operators.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <functional>

#include "base/text.h"
#include "formats/onnx/functions.h"
#include "formats/onnx/model_file.h"
#include "formats/onnx/node_order.h"
#include "formats/onnx/tensors.h"
#include "formats/onnx/types.h"
#include "ops/onnx_node.h"

namespace tenon::formats {

namespace {

bool is_constant(const ::onnx::NodeProto& node) {
  return node.op_type() == "Constant" && canonical_domain(node.domain()).empty();
}

bool is_known(const ::onnx::NodeProto& node, const Functions& functions) {
  return is_constant(node) || functions.find(node) ||
         find_operator(node.op_type(), canonical_domain(node.domain()));
}

[[noreturn]] void refuse(const ::onnx::NodeProto& node, int index, int opset, size_t others,
                         std::string_view label) {
  const std::string_view domain = canonical_domain(node.domain());
  std::vector<std::string_view> names;
  for (const OpDef* op : op::all())
    if (op->onnx.since && op->onnx.domain == domain) names.push_back(op->name);
  const std::string near = text::did_you_mean(node.op_type(), names);
  fail(ErrorKind::unsupported,
       "node {} of {}: Tenon has no operator {} of domain {} (opset {}){}; {}",
       node_label(node, index), label, text::quoted(node.op_type()),
       domain.empty() ? "ai.onnx" : text::printable(domain), opset,
       others ? fmt::format(", and {} more of this model's operators", others) : "",
       near.empty() ? "see the list of operators" : fmt::format("did you mean {}?", near));
}

// Each thing once, in order of first sight.
class Obstacles {
 public:
  explicit Obstacles(const Functions& functions) : functions_(functions) {}

  void add(std::string what) {
    if (std::ranges::find(list, what) == list.end()) list.push_back(std::move(what));
  }
  void add_type(int data_type) {
    if (data_type >= kTensorTypeCount) add("element type " + data_type_name(data_type));
  }
  void add_type(const ::onnx::TypeProto& type) {
    switch (type.value_case()) {
      case ::onnx::TypeProto::kTensorType: return add_type(type.tensor_type().elem_type());
      case ::onnx::TypeProto::kSequenceType: return add_type(type.sequence_type().elem_type());
      case ::onnx::TypeProto::kOptionalType: return add_type(type.optional_type().elem_type());
      case ::onnx::TypeProto::kMapType:
      case ::onnx::TypeProto::VALUE_NOT_SET: return;
      default: add(std::string(kind_of_type(type)) + " values");
    }
  }
  void add_nodes(const google::protobuf::RepeatedPtrField<::onnx::NodeProto>& nodes) {
    for (const auto& node : nodes) {
      if (!is_known(node, functions_))
        add("operator " + operator_label(node.op_type(), canonical_domain(node.domain())));
      for (const auto& attribute : node.attribute()) {
        add_type(attribute.t().data_type());
        if (attribute.has_g()) add_graph(attribute.g());
      }
    }
  }
  void add_graph(const ::onnx::GraphProto& graph) {
    for (const auto& input : graph.input()) add_type(input.type());
    for (const auto& initializer : graph.initializer()) add_type(initializer.data_type());
    add_nodes(graph.node());
    for (const auto& output : graph.output()) add_type(output.type());
  }

  std::vector<std::string> list;

 private:
  const Functions& functions_;
};

}  // namespace

const OpDef* find_operator(std::string_view name, std::string_view domain) {
  const OpDef* op = op::find(name, domain);
  return op && op->onnx.since ? op : nullptr;
}

int newest_opset() {
  int newest = 0;
  for (const OpDef* op : op::all())
    if (op->onnx.domain.empty()) newest = std::max(newest, op->onnx.since);
  return newest;
}

std::string operator_label(std::string_view name, std::string_view domain) {
  return domain.empty() ? text::printable(name)
                        : text::printable(fmt::format("{}.{}", domain, name));
}

OperatorForm form_of(std::string_view name, std::string_view domain, int opset,
                     std::string_view where) {
  const OpDef* op = find_operator(name, domain);
  TENON_BUG_IF(!op, "{}: operator {} is not in the catalogue, which was looked through before",
               where, name);
  if (opset == 0 || opset >= op->onnx.since) return {op, nullptr};
  const OnnxForm::Older* form = nullptr;
  for (const OnnxForm::Older& older : op->onnx.older)
    if (older.since <= opset) form = &older;
  TENON_CHECK(
      form, unsupported,
      "{}: the file uses opset {}, but Tenon knows {} from opset {} on; convert the model to that",
      where, opset, operator_label(name, domain),
      op->onnx.older.size() ? op->onnx.older[0].since : op->onnx.since);
  return {op, form->upgrade == upgrade::as_is ? nullptr : form->upgrade};
}

void refuse_unknown_operators(const ::onnx::ModelProto& model, const Functions& functions,
                              std::string_view label) {
  const ::onnx::NodeProto* first = nullptr;
  int first_index = 0;
  std::string first_place;
  std::unordered_set<std::string> unknown;
  const std::function<void(const google::protobuf::RepeatedPtrField<::onnx::NodeProto>&,
                           const std::string&)>
      look = [&](const auto& nodes, const std::string& place) {
        for (int n = 0; n < nodes.size(); ++n) {
          for (const auto& attribute : nodes[n].attribute())
            if (attribute.has_g())
              look(attribute.g().node(), fmt::format("{} of node {} of {}", attribute.name(),
                                                     node_label(nodes[n], n), place));
          if (is_known(nodes[n], functions)) continue;
          unknown.insert(operator_label(nodes[n].op_type(), canonical_domain(nodes[n].domain())));
          if (first) continue;
          first = &nodes[n];
          first_index = n;
          first_place = place;
        }
      };
  look(model.graph().node(), std::string(label));
  for (const auto& function : model.functions())
    look(function.node(),
         fmt::format("function {} of {}", text::printable(function.name()), label));
  if (first)
    refuse(*first, first_index, opset_of(model, canonical_domain(first->domain())),
           unknown.size() - 1, first_place);
}

std::vector<std::string> find_obstacles(const ::onnx::ModelProto& model,
                                        const Functions& functions) {
  Obstacles obstacles(functions);
  obstacles.add_graph(model.graph());
  for (const auto& function : model.functions()) obstacles.add_nodes(function.node());
  return std::move(obstacles.list);
}

std::unordered_set<std::string> fixed_initializers(const ::onnx::ModelProto& model) {
  std::unordered_set<std::string> fixed;
  for (const auto& node : model.graph().node()) {
    const OpDef* op = find_operator(node.op_type(), canonical_domain(node.domain()));
    if (!op) continue;
    const bool batch_norm = op->name == "BatchNormalization";
    for (int i = 0; i < node.input_size(); ++i) {
      const auto at = std::min(static_cast<size_t>(i), op->inputs.size() - 1);
      if (op->inputs[at].value || (batch_norm && i >= 3)) fixed.insert(node.input(i));
    }
  }
  return fixed;
}

}  // namespace tenon::formats
