// Looking a model's operators up in the catalogue.
#include "formats/onnx/operators.h"

#include <onnx/onnx_pb.h>

#include <algorithm>

#include "base/text.h"
#include "formats/onnx/functions.h"
#include "formats/onnx/legacy.h"
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

bool is_known(const ::onnx::NodeProto& node, const Functions& functions, bool own = false) {
  const std::string_view domain = canonical_domain(node.domain());
  return is_constant(node) || functions.find(node) || find_operator(node.op_type(), domain, own) ||
         find_legacy(node.op_type(), domain);
}

// Operators of com.microsoft that are those of ai.onnx in their newest form: quantisers wrote
// 16-bit and 4-bit types into that domain before ai.onnx had them.
bool is_copy(std::string_view name, std::string_view domain) {
  return domain == "com.microsoft" && (name == "QuantizeLinear" || name == "DequantizeLinear");
}

std::string_view shown_domain(std::string_view domain) {
  return domain.empty() ? "ai.onnx" : domain;
}

template <class Proto>
int opset_in(const Proto& proto, std::string_view domain) {
  for (const auto& entry : proto.opset_import())
    if (canonical_domain(entry.domain()) == domain)
      return static_cast<int>(std::clamp<int64_t>(entry.version(), 0, 1'000'000));
  return 0;
}

// "did you mean Relu?", "there is Gelu of domain ai.onnx"; empty where nothing is near.
std::string nearest_operator(std::string_view name, std::string_view domain) {
  std::vector<std::string_view> same_domain, all;
  for (const OpDef* op : op::all()) {
    if (!op->onnx.since) continue;
    if (op->onnx.domain == domain)
      same_domain.push_back(op->name);
    else if (op->name == name)
      return fmt::format("there is {} of domain {}", name, shown_domain(op->onnx.domain));
    all.push_back(op->name);
  }
  std::string near = text::did_you_mean(name, same_domain);
  if (near.empty()) near = text::did_you_mean(name, all);
  return near.empty() ? "" : fmt::format("did you mean {}?", near);
}

// Operators that are neither in the catalogue nor functions, each once with its first node, in all
// that the model's graph reaches: subgraphs, and functions that are called.
class UnknownOperators {
 public:
  struct Unknown {
    const ::onnx::NodeProto* node = nullptr;  // the first of them
    int index = 0;
    std::string place;
    int opset = 0;
    size_t nodes = 0;

    std::string_view domain() const { return canonical_domain(node->domain()); }
    std::string what() const {
      return fmt::format("operator {} of domain {} ({})", text::quoted(node->op_type()),
                         text::printable(shown_domain(domain())),
                         opset ? fmt::format("opset {}", opset) : "of no version");
    }
  };

  UnknownOperators(const ::onnx::ModelProto& model, const Functions& functions,
                   std::string_view label, bool own)
      : model_(model), functions_(functions), label_(label), own_(own) {
    look(model.graph().node(), nullptr, std::string(label));
  }

  std::vector<Unknown> list;

 private:
  using Nodes = google::protobuf::RepeatedPtrField<::onnx::NodeProto>;

  void look(const Nodes& nodes, const ::onnx::FunctionProto* function, const std::string& place) {
    for (int n = 0; n < nodes.size(); ++n) {
      const ::onnx::NodeProto& node = nodes[n];
      for (const auto& attribute : node.attribute()) {
        const auto inside = [&](const ::onnx::GraphProto& graph) {
          look(graph.node(), function,
               fmt::format("{} of node {} of {}", text::printable(attribute.name()),
                           node_label(node, n), place));
        };
        if (attribute.has_g()) inside(attribute.g());
        for (const auto& graph : attribute.graphs()) inside(graph);
      }
      if (const auto* called = functions_.find(node)) {
        if (entered_.insert(called).second)
          look(called->node(), called,
               fmt::format("function {} of {}", text::printable(called->name()), label_));
      } else if (!is_known(node, functions_, own_)) {
        add(node, n, function, place);
      }
    }
  }

  void add(const ::onnx::NodeProto& node, int index, const ::onnx::FunctionProto* function,
           const std::string& place) {
    const std::string_view domain = canonical_domain(node.domain());
    auto at = std::ranges::find_if(list, [&](const Unknown& known) {
      return known.node->op_type() == node.op_type() && known.domain() == domain;
    });
    if (at == list.end()) {
      int opset = function ? opset_in(*function, domain) : 0;
      if (!opset) opset = opset_of(model_, domain);
      at = list.insert(at, {&node, index, place, opset, 0});
    }
    ++at->nodes;
  }

  const ::onnx::ModelProto& model_;
  const Functions& functions_;
  const std::string label_;
  const bool own_;
  std::unordered_set<const ::onnx::FunctionProto*> entered_;
};

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

const OpDef* find_operator(std::string_view name, std::string_view domain, bool own) {
  const OpDef* op = op::find(name, is_copy(name, domain) ? "" : domain);
  return op && (op->onnx.since || own) ? op : nullptr;
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
                     std::string_view where, bool own) {
  const OpDef* op = find_operator(name, domain, own);
  if (const LegacyOperator* legacy = op ? nullptr : find_legacy(name, domain))
    return {nullptr, legacy->upgrade, legacy->inputs};
  TENON_BUG_IF(!op, "{}: operator {} is not in the catalogue, which was looked through before",
               where, name);
  if (opset == 0 || opset >= op->onnx.since || is_copy(name, domain)) return {op, nullptr};
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
                              std::string_view label, bool own) {
  constexpr size_t kMaxShown = 20;
  const auto unknown = UnknownOperators(model, functions, label, own).list;
  if (unknown.empty()) return;
  const auto where = [](const auto& one) {
    return fmt::format("node {} of {}", node_label(*one.node, one.index), one.place);
  };
  if (unknown.size() == 1) {
    const auto& one = unknown[0];
    const std::string near = nearest_operator(one.node->op_type(), one.domain());
    fail(ErrorKind::unsupported, "{}: Tenon has no {}{}; {}", where(one), one.what(),
         one.nodes > 1 ? fmt::format(", which {} nodes use", one.nodes) : "",
         near.empty() ? "`tenon ops` lists those it has" : near);
  }
  std::string lines;
  size_t nodes = 0;
  for (size_t i = 0; i < unknown.size(); ++i) {
    nodes += unknown[i].nodes;
    if (i >= kMaxShown) continue;
    const std::string near = nearest_operator(unknown[i].node->op_type(), unknown[i].domain());
    lines +=
        fmt::format("\n  {}: {}, {}{}", unknown[i].what(), text::plural(unknown[i].nodes, "node"),
                    where(unknown[i]), near.empty() ? "" : "; " + near);
  }
  if (unknown.size() > kMaxShown)
    lines += fmt::format("\n  and {} more", unknown.size() - kMaxShown);
  fail(ErrorKind::unsupported,
       "{}: Tenon lacks {} of its operators, which {} use; `tenon ops` lists those it has{}", label,
       unknown.size(), text::plural(nodes, "node"), lines);
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
