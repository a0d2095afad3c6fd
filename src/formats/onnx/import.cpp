// Walks an ONNX graph and records it, node by node.
#include "formats/onnx/import.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <climits>
#include <filesystem>
#include <map>
#include <new>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <variant>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "formats/onnx/attributes.h"
#include "formats/onnx/error_kind.h"
#include "formats/onnx/fold.h"
#include "formats/onnx/functions.h"
#include "formats/onnx/model_file.h"
#include "formats/onnx/node_order.h"
#include "formats/onnx/operators.h"
#include "formats/onnx/scope.h"
#include "formats/onnx/slim_model.h"
#include "formats/onnx/subgraphs.h"
#include "formats/onnx/tensors.h"
#include "formats/onnx/types.h"
#include "graph/capture.h"
#include "ops/onnx_node.h"
#include "runtime/dispatch.h"
#include "tensor/system_memory.h"

namespace tenon::formats {

namespace {

constexpr int kMaxFunctionDepth = 32;
constexpr int64_t kMaxNodes = 4'000'000;  // functions written out

class Importer {
 public:
  Importer(::onnx::ModelProto& model, std::span<const std::span<const std::byte>> raw,
           std::string label, const ImportOptions& options, const std::string& folder)
      : model_(model),
        raw_(raw),
        label_(std::move(label)),
        options_(options),
        external_(options.own ? ExternalData({options.place_owner, options.place})
                              : ExternalData(folder)),
        functions_(model) {}

  graph::Graph run() {
    const ::onnx::GraphProto& proto = model_.graph();
    TENON_CHECK(opset_of(model_, "") > 0 || !needs_default_domain(), data,
                "{}: it does not say which opset it uses (opset_import of domain ai.onnx); add it "
                "to the file",
                label_);
    TENON_CHECK(proto.output_size() > 0, data, "{}: the graph has no outputs; name at least one",
                label_);
    if (const int opset = opset_of(model_, ""); opset > newest_opset())
      log_warning(
          "{} uses opset {}; Tenon knows {} and older, and takes operators as they were then",
          label_, opset, newest_opset());
    refuse_unknown_operators(model_, functions_, label_, options_.own);
    if (model_.training_info_size())
      log_info("{}: its training_info is ignored; `tenon train` takes recipes", label_);

    Recording recording{graph::Recorder::create(proto.name().empty() ? label_ : proto.name()), {}};
    Scope scope(recording, label_);
    add_initializers(scope, proto);
    add_inputs(scope);
    import_nodes(proto.node(), scope);
    graph::Graph graph = finish(scope, proto);
    warn_of_other_types(graph);
    return graph;
  }

  bool has_external_data() const { return external_.is_used(); }

 private:
  // What a file says of its outputs is of no use where nodes make something else, but its author
  // should hear of it.
  void warn_of_other_types(const graph::Graph& graph) const {
    for (size_t i = 0; i < graph.outputs.size(); ++i) {
      const auto& output = model_.graph().output(static_cast<int>(i));
      if (!output.type().has_tensor_type() || !output.type().tensor_type().elem_type()) continue;
      const TensorType& made = graph.value(graph.outputs[i]).type;
      const TensorType said = read_type(
          output.type(), "", fmt::format("output {} of {}", text::quoted(output.name()), label_),
          options_.sizes);
      bool fits = said.dtype == made.dtype;
      if (said.ranked && made.ranked && output.type().tensor_type().has_shape()) {
        fits = fits && said.dims.size() == made.dims.size();
        for (size_t d = 0; fits && d < said.dims.size(); ++d)
          fits = !said.dims[d].is_const() || !made.dims[d].is_const() ||
                 said.dims[d].value() == made.dims[d].value();
      }
      if (!fits)
        log_warning("{}: output {} is said to be {}, but its nodes make {}", label_,
                    text::quoted(output.name()), said.str(), made.str());
    }
  }

  bool needs_default_domain() const {
    return std::ranges::any_of(model_.graph().node(), [](const auto& node) {
      return canonical_domain(node.domain()).empty();
    });
  }

  static graph::Graph finish(Scope& scope, const ::onnx::GraphProto& proto) {
    TensorList outputs;
    std::vector<std::string> names;
    for (const auto& output : proto.output()) {
      TENON_CHECK(std::ranges::find(names, output.name()) == names.end(), data,
                  "{}: two outputs are named {}; names must differ", scope.where(),
                  text::quoted(output.name()));
      outputs.push_back(scope.find(output.name(), "the list of outputs"));
      names.push_back(output.name());
    }
    return scope.recorder().finish(outputs, names);
  }

  // -- Values --------------------------------------------------------------------------------
  void add_initializer(Scope& scope, const std::string& name, Tensor tensor,
                       const std::unordered_set<std::string>& fixed) {
    TENON_CHECK(!name.empty(), data, "{}: an initialiser has no name; the file is damaged",
                scope.where());
    // Subgraphs keep theirs as constants: what is trained must have one place.
    if (options_.trainable && !scope.outer && is_float(tensor.dtype()) && !fixed.contains(name)) {
      // As a symbolic tensor, so that what is computed from it is recorded and follows its
      // training.
      const graph::ValueId id =
          scope.recorder().graph().add_constant(name, std::move(tensor), true);
      scope.recording().named.insert(id);
      tensor = scope.recorder().tensor_of(id);
    } else {
      scope.name_value(tensor, name);
    }
    TENON_CHECK(scope.add(name, std::move(tensor)), data,
                "{}: two initialisers are named {}; the file is damaged", scope.where(),
                text::quoted(name));
  }

  // Of the model's own graph the raw bytes are given back as they are read: large models are held
  // once. Subgraphs may be read twice.
  void add_initializers(Scope& scope, const ::onnx::GraphProto& proto) {
    const bool inner = scope.outer != nullptr;
    const std::unordered_set<std::string> fixed = options_.trainable && !inner
                                                      ? fixed_initializers(model_)
                                                      : std::unordered_set<std::string>();
    for (int i = 0; i < proto.initializer_size(); ++i) {
      const ::onnx::TensorProto& initializer = proto.initializer(i);
      const std::string where =
          fmt::format("initialiser {} of {}", text::quoted(initializer.name()), scope.where());
      const auto at = static_cast<size_t>(i);
      const auto raw = inner || at >= raw_.size() ? std::span<const std::byte>() : raw_[at];
      add_initializer(scope, initializer.name(),
                      read_tensor(initializer, external_, where, options_.trainable, raw), fixed);
      if (options_.mapped) drop_pages(raw.data(), raw.size());
      if (!inner && initializer.has_raw_data())
        delete model_.mutable_graph()->mutable_initializer(i)->release_raw_data();
    }
    for (const auto& sparse : proto.sparse_initializer()) {
      const std::string& name = sparse.values().name();
      const std::string where =
          fmt::format("sparse initialiser {} of {}", text::quoted(name), scope.where());
      add_initializer(scope, name, read_sparse_tensor(sparse, external_, where), fixed);
    }
  }

  void add_inputs(Scope& scope) {
    std::unordered_set<std::string> seen;
    for (const auto& input : model_.graph().input()) {
      const std::string where = fmt::format("input {} of {}", text::quoted(input.name()), label_);
      TENON_CHECK(!input.name().empty() && seen.insert(input.name()).second, data,
                  "{}: the name is {}; each input needs a name of its own", where,
                  input.name().empty() ? "empty" : "taken");
      if (scope.has(input.name())) continue;  // an initialiser gives its value
      add_input(scope, input.name(), read_type(input.type(), input.name(), where, options_.sizes));
    }
  }

  static void add_input(Scope& scope, const std::string& name, TensorType type) {
    Tensor tensor = scope.recorder().input(name, std::move(type));
    scope.recording().named.insert(scope.recorder().value_of(tensor));
    scope.add(name, std::move(tensor));
  }

  // -- Nodes ---------------------------------------------------------------------------------
  void import_nodes(const google::protobuf::RepeatedPtrField<::onnx::NodeProto>& nodes,
                    Scope& scope) {
    count_ += nodes.size();
    TENON_CHECK(count_ <= kMaxNodes, unsupported,
                "{}: more than {} nodes when its functions are written out", label_, kMaxNodes);
    const auto known = [&](const std::string& name) { return scope.has(name); };
    for (int index : order_nodes(nodes, known, scope.where()))
      import_node(nodes[index], index, scope);
  }

  void import_node(const ::onnx::NodeProto& proto, int index, Scope& scope) {
    const std::string label = node_label(proto, index);
    OnnxNode node;
    node.name = proto.name();
    node.domain = canonical_domain(proto.domain());
    node.op_type = proto.op_type();
    node.output_count = 0;
    for (int i = 0; i < proto.output_size(); ++i)
      if (!proto.output(i).empty()) node.output_count = static_cast<size_t>(i) + 1;
    if (!node.output_count) return;  // nobody can read it

    const std::string where = fmt::format("node {} of {}", label, scope.where());
    for (const std::string& input : proto.input())
      node.inputs.push_back(input.empty() ? Tensor() : scope.find(input, "node " + label));
    while (!node.inputs.empty() && !node.inputs.back().defined()) node.inputs.pop_back();

    TensorList outputs;
    if (const auto* function = functions_.find(proto)) {
      outputs = call_function(*function, proto, node, where, scope);
    } else {
      node.opset = opset_in(scope, node.domain);
      node.attrs = read_attributes(proto, scope, where);
      const bool holds_graphs = std::ranges::any_of(
          proto.attribute(), [](const auto& attribute) { return attribute.has_g(); });
      outputs = node.op_type == "Constant" && node.domain.empty()
                    ? TensorList{read_constant(node, where)}
                : holds_graphs ? call_control_flow(node, proto, scope, where)
                               : call_operator(node, proto, scope, where);
    }
    TENON_CHECK(outputs.size() >= node.output_count, unsupported,
                "{}: {} outputs are used, but {} of opset {} has {} here", where, node.output_count,
                node.op_type, node.opset, outputs.size());
    for (int i = 0; i < static_cast<int>(node.output_count); ++i) {
      const std::string& name = proto.output(i);
      if (name.empty()) continue;
      Tensor& output = outputs[static_cast<size_t>(i)];
      if (output.defined() && scope.keeps_names) scope.name_value(output, name);
      scope.add(name, std::move(output));
    }
  }

  int opset_in(const Scope& scope, std::string_view domain) const {
    const int opset = scope.call ? scope.call->opset(domain) : 0;
    return opset ? opset : opset_of(model_, domain);
  }

  Attrs read_attributes(const ::onnx::NodeProto& proto, const Scope& scope,
                        std::string_view where) {
    std::vector<Attr> list;
    for (const auto& attribute : proto.attribute()) {
      if (attribute.name() == "consumed_inputs")
        continue;  // a hint to memory planners, before opset 6
      const ::onnx::AttributeProto* value = &attribute;
      if (!attribute.ref_attr_name().empty()) {
        TENON_CHECK(
            scope.call, data,
            "{}: attribute {} refers to {}, but is not inside a function; the file is damaged",
            where, attribute.name(), attribute.ref_attr_name());
        value = scope.call->attribute(attribute.ref_attr_name());
        if (!value) continue;
      }
      if (value->has_g()) continue;  // see call_control_flow
      if (value->has_sparse_tensor() && node_is_constant(proto)) {
        list.emplace_back("value", read_sparse_tensor(value->sparse_tensor(), external_, where));
      } else if (auto read = read_attribute(*value, external_, where)) {
        list.emplace_back(attribute.name(), std::move(*read));
      }
    }
    return with_context([&] { return fmt::format("at {}", where); },
                        [&] { return Attrs(std::move(list)); });
  }

  static bool node_is_constant(const ::onnx::NodeProto& proto) {
    return proto.op_type() == "Constant" && canonical_domain(proto.domain()).empty();
  }

  static Tensor read_constant(const OnnxNode& node, std::string_view where) {
    const Attrs& attrs = node.attrs;
    TENON_CHECK(attrs.list().size() == 1, data, "{}: a Constant has {} values; it must have one",
                where, attrs.list().size());
    const AttrValue& value = attrs.list()[0].value;
    if (const auto* tensor = std::get_if<Tensor>(&value)) return *tensor;
    if (const auto* i = std::get_if<int64_t>(&value)) return Tensor::from<int64_t>({*i}, {});
    if (const auto* f = std::get_if<double>(&value)) return Tensor::scalar(*f);
    if (const auto* s = std::get_if<std::string>(&value)) return Tensor::strings({*s}, {});
    if (const auto* ints = std::get_if<std::vector<int64_t>>(&value))
      return attrs.has("value_floats") ? Tensor::empty({0}) : Tensor::ints(*ints);
    if (const auto* strings = std::get_if<std::vector<std::string>>(&value))
      return Tensor::strings(*strings, {static_cast<int64_t>(strings->size())});
    if (const auto* floats = std::get_if<std::vector<double>>(&value)) {
      const std::vector<float> narrow(floats->begin(), floats->end());
      return Tensor::from<float>(narrow, {static_cast<int64_t>(narrow.size())});
    }
    fail(ErrorKind::unsupported, "{}: a Constant that holds a graph; Tenon takes tensors", where);
  }

  TensorList call_operator(OnnxNode& node, const ::onnx::NodeProto& proto, Scope& scope,
                           const std::string& where) {
    const OperatorForm form = form_of(node.op_type, node.domain, node.opset, where, options_.own);
    graph::Recorder& recorder = scope.recorder();
    recorder.set_origin(node.name, options_.own ? proto.doc_string() : where);
    const size_t before = recorder.graph().nodes().size();
    TensorList outputs;
    if (!form.upgrade) {
      std::vector<const Tensor*> inputs;
      for (const Tensor& input : node.inputs) inputs.push_back(&input);
      outputs = recorder.record(*form.op, inputs, node.attrs, node.output_count);
    } else {
      // Were all inputs concrete, the upgrade would compute here, however large the result; one
      // symbolic input makes it record, and fold_constants() computes what is small.
      const auto symbolic = [](const Tensor& t) { return t.defined() && t.is_symbolic(); };
      const auto first = std::ranges::find_if(node.inputs, &Tensor::defined);
      if (first != node.inputs.end() && std::ranges::none_of(node.inputs, symbolic))
        *first = recorder.tensor_of(recorder.value_of(*first));
      outputs =
          with_context([&] { return "at " + where; }, [&] { return upgraded(form, node, where); });
    }
    fold_constants(recorder, before, outputs);
    return outputs;
  }

  // Upgrades read what a well-formed node of the old opset has: the inputs that are there in all
  // opsets (those that decide shapes were attributes once), and attributes of the right types.
  static TensorList upgraded(const OperatorForm& form, const OnnxNode& node,
                             const std::string& where) {
    for (size_t i = 0; i < form.inputs; ++i)
      TENON_CHECK(node.has_input(i), data, "{}: input {} of {} is missing; it is required", where,
                  i, node.op_type);
    for (size_t i = 0; form.op && i < form.op->inputs.size(); ++i) {
      const Port& port = form.op->inputs[i];
      TENON_CHECK(port.arity != Arity::single || port.value || node.has_input(i), data,
                  "{}: input {} of {} is missing; it is required", where, port.name, node.op_type);
    }
    try {
      return form.upgrade(node);
    } catch (const std::bad_variant_access&) {
      fail(ErrorKind::data,
           "{}: an attribute ({}) is not of the type that {} of opset {} has; the file is damaged",
           where, node.attrs.str(), node.op_type, node.opset);
    }
  }

  TensorList call_function(const ::onnx::FunctionProto& function, const ::onnx::NodeProto& node,
                           const OnnxNode& call, const std::string& where, const Scope& outer) {
    TENON_CHECK(depth_ < kMaxFunctionDepth, unsupported,
                "{}: functions call each other more than {} deep", where, kMaxFunctionDepth);
    TENON_CHECK(call.inputs.size() <= static_cast<size_t>(function.input_size()) &&
                    call.output_count <= static_cast<size_t>(function.output_size()),
                data, "{}: it has {} inputs and {} outputs, but function {} has {} and {}", where,
                call.inputs.size(), call.output_count, function.name(), function.input_size(),
                function.output_size());
    const FunctionCall inner(function, node, outer.call);
    Scope scope(outer.recording(), fmt::format("function {} ({})", function.name(), where));
    scope.call = &inner;
    scope.keeps_names = false;
    for (int i = 0; i < function.input_size(); ++i) {
      const auto at = static_cast<size_t>(i);
      scope.add(function.input(i), at < call.inputs.size() ? call.inputs[at] : Tensor());
    }
    ++depth_;
    import_nodes(function.node(), scope);
    --depth_;
    TensorList outputs;
    for (size_t i = 0; i < call.output_count; ++i)
      outputs.push_back(scope.find(function.output(static_cast<int>(i)), "the list of outputs"));
    return outputs;
  }

  // -- Control flow ----------------------------------------------------------------------------
  TensorList call_control_flow(OnnxNode& node, const ::onnx::NodeProto& proto, Scope& scope,
                               const std::string& where) {
    const bool batched = node.op_type == "Scan" && node.domain.empty() && node.opset == 8;
    const OpDef& op = batched ? *find_operator(node.op_type, node.domain)
                              : *form_of(node.op_type, node.domain, node.opset, where).op;
    std::vector<TensorType> inputs;
    for (const Tensor& input : node.inputs) inputs.push_back(scope.recorder().type_of(input));
    if (batched && !inputs.empty()) {
      inputs.erase(inputs.begin());
      for (TensorType& type : inputs)
        if (type.ranked && !type.dims.empty()) type.dims.pop_back();
    }
    const auto formal = formal_types(node.op_type, node.attrs, inputs);
    std::vector<ImportedSubgraph> subgraphs;
    for (const auto& attribute : proto.attribute()) {
      const ::onnx::AttributeProto* value = &attribute;
      if (!attribute.ref_attr_name().empty())
        value = scope.call ? scope.call->attribute(attribute.ref_attr_name()) : nullptr;
      if (!value || !value->has_g()) continue;
      const std::string label = fmt::format("{} of {}", attribute.name(), where);
      ImportedSubgraph imported = import_subgraph(value->g(), formal, scope, label);
      if (ranks_change(node.op_type, *imported.graph,
                       formal.size() - std::min<size_t>(formal.size(), 2)))
        imported = import_subgraph(value->g(), {}, scope, label);
      imported.attribute = attribute.name();
      subgraphs.push_back(std::move(imported));
    }
    const std::vector<CapturedValue> captures = share_captures(subgraphs);
    if (node.op_type == "If" && !node.inputs.empty() && !node.inputs[0].is_symbolic())
      return take_branch(node, subgraphs, captures, where);

    size_t least = 0;
    for (const Port& port : op.inputs)
      if (port.arity != Arity::variadic) ++least;
    node.inputs.resize(std::max(node.inputs.size(), least));
    for (const CapturedValue& capture : captures) node.inputs.push_back(capture.tensor);
    for (const ImportedSubgraph& subgraph : subgraphs)
      node.attrs =
          node.attrs.with({subgraph.attribute, std::shared_ptr<const Subgraph>(subgraph.graph)});
    if (!captures.empty() && op.find_attr("captures"))
      node.attrs = node.attrs.with({"captures", static_cast<int64_t>(captures.size())});
    if (!batched) return call_operator(node, proto, scope, where);
    scope.recorder().set_origin(node.name, where);
    return scan_of_opset_8(node, scope.recorder());
  }

  // An If on a constant is the branch that is taken.
  static TensorList take_branch(const OnnxNode& node,
                                const std::vector<ImportedSubgraph>& subgraphs,
                                const std::vector<CapturedValue>& captures,
                                const std::string& where) {
    const Tensor& condition = node.inputs[0];
    TENON_CHECK(condition.dtype() == DType::boolean && condition.numel() == 1, data,
                "{}: its condition is {}{}; it must be one bool", where, name(condition.dtype()),
                condition.shape().str());
    const std::string_view taken = condition.item<bool>() ? "then_branch" : "else_branch";
    const auto branch = std::ranges::find(subgraphs, taken, &ImportedSubgraph::attribute);
    TENON_CHECK(branch != subgraphs.end(), data, "{}: attribute {} is missing; the file is damaged",
                where, taken);
    TensorList inputs;
    for (const CapturedValue& capture : captures) inputs.push_back(capture.tensor);
    return branch->graph->runner()(inputs);
  }

  // `formal` says what is known of the inputs, as far as the file does not; empty: nothing.
  ImportedSubgraph import_subgraph(const ::onnx::GraphProto& proto,
                                   const std::vector<TensorType>& formal, Scope& outer,
                                   const std::string& where) {
    TENON_CHECK(depth_ < kMaxFunctionDepth, unsupported, "{}: graphs are nested more than {} deep",
                where, kMaxFunctionDepth);
    Recording recording{graph::Recorder::create(proto.name().empty() ? where : proto.name()), {}};
    Scope scope(recording, where);
    scope.outer = &outer;
    scope.call = outer.call;
    for (int i = 0; i < proto.input_size(); ++i) {
      const auto& input = proto.input(i);
      const std::string label = fmt::format("input {} of {}", text::quoted(input.name()), where);
      TENON_CHECK(!input.name().empty() && !scope.has(input.name()), data,
                  "{}: the name is {}; each input needs a name of its own", label,
                  input.name().empty() ? "empty" : "taken");
      TensorType type;
      type.ranked = false;
      if (input.type().value_case() != ::onnx::TypeProto::VALUE_NOT_SET)
        type = read_type(input.type(), {}, label);
      if (static_cast<size_t>(i) < formal.size()) {
        const TensorType& guess = formal[static_cast<size_t>(i)];
        if (type.dtype == DType::undefined || (!type.ranked && guess.dtype == type.dtype) ||
            (is_container(type.dtype) && !type.element && guess.dtype == type.dtype))
          type = guess;
      }
      TENON_CHECK(type.dtype != DType::undefined, unsupported,
                  "{}: its type is not given; write it into the file", label);
      add_input(scope, input.name(), std::move(type));
    }
    add_initializers(scope, proto);
    ++depth_;
    import_nodes(proto.node(), scope);
    --depth_;
    TENON_CHECK(proto.output_size() > 0, data, "{}: the graph has no outputs; name at least one",
                where);
    ImportedSubgraph imported;
    imported.graph = std::make_shared<graph::Graph>(finish(scope, proto));
    imported.captures = std::move(scope.captures);
    return imported;
  }

  ::onnx::ModelProto& model_;
  const std::span<const std::span<const std::byte>> raw_;  // of initialisers, see slim_model()
  const std::string label_;
  const ImportOptions& options_;
  ExternalData external_;
  const Functions functions_;
  int64_t count_ = 0;
  int depth_ = 0;
};

}  // namespace

graph::Graph import_onnx(std::span<const std::byte> bytes, const std::string& name,
                         const ImportOptions& options, const std::string& folder) {
  std::vector<std::span<const std::byte>> raw;
  std::shared_ptr<::onnx::ModelProto> model;
  if (auto slim = slim_model(bytes)) {
    raw = std::move(slim->raw);
    model = parse_model(std::as_bytes(std::span(slim->bytes)), name);
  } else {
    model = parse_model(bytes, name);
  }
  try {
    Importer importer(*model, raw, name, options, folder);
    graph::Graph graph = importer.run();
    if (options.external_data) *options.external_data = importer.has_external_data();
    return graph;
  } catch (const Error& error) {
    throw as_kind(error, error.kind() == ErrorKind::usage ? ErrorKind::data : error.kind());
  } catch (const std::bad_alloc&) {
    fail(
        ErrorKind::resource,
        "{}: there is not enough memory to import it; close other programs or use a larger machine",
        name);
  }
}

graph::Graph import_onnx(const std::string& path, const ImportOptions& options) {
  const std::filesystem::path file(path);
  const std::string folder = file.parent_path().empty() ? "." : file.parent_path().string();
  return with_context([&] { return "while importing " + path; },
                      [&] {
                        const MappedFile mapped(path, MappedFile::Access::sequential);
                        ImportOptions how = options;
                        how.mapped = true;
                        return import_onnx(mapped.bytes(), file.filename().string(), how, folder);
                      });
}

std::vector<std::string> import_obstacles(const std::string& path) {
  const MappedFile mapped(path, MappedFile::Access::sequential);
  const auto model = parse_model(mapped.bytes(), path);
  return find_obstacles(*model, Functions(*model));
}

}  // namespace tenon::formats
