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
#include "formats/onnx/fold.h"
#include "formats/onnx/functions.h"
#include "formats/onnx/model_file.h"
#include "formats/onnx/node_order.h"
#include "formats/onnx/operators.h"
#include "formats/onnx/tensors.h"
#include "graph/capture.h"
#include "ops/onnx_node.h"
#include "runtime/dispatch.h"

namespace tenon::formats {

namespace {

constexpr int kMaxFunctionDepth = 32;
constexpr int64_t kMaxNodes = 4'000'000;  // functions written out

// Names of one graph or function body, and the attributes of the call that a body belongs to.
struct Scope {
  std::unordered_map<std::string, Tensor> values;
  const FunctionCall* call = nullptr;
  std::string where;  // "model.onnx", "function Attention (node a of model.onnx)"
};

class Importer {
 public:
  Importer(::onnx::ModelProto& model, std::string label, const ImportOptions& options,
           const std::string& folder)
      : model_(model),
        label_(std::move(label)),
        options_(options),
        external_(folder),
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
    refuse_unknown_operators(model_, functions_, label_);

    recorder_ = graph::Recorder::create(proto.name().empty() ? label_ : proto.name());
    Scope scope;
    scope.where = label_;
    add_initializers(scope);
    add_inputs(scope);
    import_nodes(proto.node(), scope);

    TensorList outputs;
    std::vector<std::string> names;
    for (const auto& output : proto.output()) {
      TENON_CHECK(std::ranges::find(names, output.name()) == names.end(), data,
                  "{}: two outputs are named {}; names must differ", label_,
                  text::quoted(output.name()));
      outputs.push_back(find(scope, output.name(), "the list of outputs"));
      names.push_back(output.name());
    }
    return recorder_->finish(outputs, names);
  }

 private:
  bool needs_default_domain() const {
    return std::ranges::any_of(model_.graph().node(), [](const auto& node) {
      return canonical_domain(node.domain()).empty();
    });
  }

  // -- Values --------------------------------------------------------------------------------
  const Tensor& find(const Scope& scope, const std::string& name, std::string_view reader) const {
    const auto found = scope.values.find(name);
    if (found != scope.values.end()) return found->second;
    std::vector<std::string_view> names;
    for (const auto& [known, tensor] : scope.values) names.push_back(known);
    std::ranges::sort(names);
    const std::string near = text::did_you_mean(name, names);
    fail(
        ErrorKind::data, "{} of {} reads {}, which nothing makes; {}", reader, scope.where,
        text::quoted(name),
        near.empty() ? "the file is damaged" : fmt::format("did you mean {}?", text::quoted(near)));
  }

  // Lets a value of the graph have the file's name, unless it has one from the file already.
  void name_value(const Tensor& tensor, const std::string& name) {
    const graph::ValueId id = recorder_->value_of(tensor, name);
    if (named_.insert(id).second) recorder_->graph().rename(id, name);
  }

  void add_initializer(Scope& scope, const std::string& name, Tensor tensor,
                       const std::unordered_set<std::string>& fixed) {
    TENON_CHECK(!name.empty(), data, "{}: an initialiser has no name; the file is damaged", label_);
    if (options_.trainable && is_float(tensor.dtype()) && !fixed.contains(name)) {
      // As a symbolic tensor, so that what is computed from it is recorded and follows its
      // training.
      const graph::ValueId id = recorder_->graph().add_constant(name, std::move(tensor), true);
      named_.insert(id);
      tensor = recorder_->tensor_of(id);
    } else {
      name_value(tensor, name);
    }
    TENON_CHECK(scope.values.emplace(name, std::move(tensor)).second, data,
                "{}: two initialisers are named {}; the file is damaged", label_,
                text::quoted(name));
  }

  void add_initializers(Scope& scope) {
    ::onnx::GraphProto& proto = *model_.mutable_graph();
    const std::unordered_set<std::string> fixed =
        options_.trainable ? fixed_initializers(model_) : std::unordered_set<std::string>();
    for (::onnx::TensorProto& initializer : *proto.mutable_initializer()) {
      const std::string where =
          fmt::format("initialiser {} of {}", text::quoted(initializer.name()), label_);
      add_initializer(scope, initializer.name(),
                      read_tensor(initializer, external_, where, options_.trainable), fixed);
      // Copied by now: large models are held once.
      if (initializer.has_raw_data()) delete initializer.release_raw_data();
    }
    for (const auto& sparse : proto.sparse_initializer()) {
      const std::string& name = sparse.values().name();
      const std::string where =
          fmt::format("sparse initialiser {} of {}", text::quoted(name), label_);
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
      if (scope.values.contains(input.name())) continue;  // an initialiser gives its value
      const ::onnx::TypeProto& type = input.type();
      TENON_CHECK(type.value_case() == ::onnx::TypeProto::kTensorType, unsupported,
                  "{}: it is of kind {}; Tenon takes tensors", where, kind_of_type(type));
      TensorType known;
      known.dtype = dtype_of_file(type.tensor_type().elem_type(), where);
      known.ranked = type.tensor_type().has_shape();
      known.dims =
          known.ranked ? read_dims(type.tensor_type().shape(), input.name(), where) : Dims();
      Tensor tensor = recorder_->input(input.name(), known);
      named_.insert(recorder_->value_of(tensor));
      scope.values.emplace(input.name(), std::move(tensor));
    }
  }

  // Unnamed axes get a symbol each, "<input>.<axis>", so that a run can say what they were.
  Dims read_dims(const ::onnx::TensorShapeProto& shape, const std::string& input,
                 std::string_view where) const {
    TENON_CHECK(static_cast<size_t>(shape.dim_size()) <= kMaxRank, unsupported,
                "{}: it has {} axes; Tenon takes {} at most", where, shape.dim_size(), kMaxRank);
    Dims dims;
    for (int axis = 0; axis < shape.dim_size(); ++axis) {
      const auto& dim = shape.dim(axis);
      if (dim.has_dim_value() && dim.dim_value() >= 0) {
        dims.emplace_back(dim.dim_value());
        continue;
      }
      Dim size = dim.dim_param().empty() ? Dim() : named_size(dim.dim_param());
      if (size.is_const()) size = Dim::symbol(fmt::format("{}.{}", input, axis));
      if (const auto given = size.eval(options_.sizes)) size = Dim(*given);
      dims.push_back(std::move(size));
    }
    return dims;
  }

  // A dim_param: what export wrote ("2*seq+1"), or any text at all, which is a name then. 0 for the
  // texts by which exporters say that they know nothing, which must not tie axes together.
  static Dim named_size(const std::string& text) {
    for (std::string_view nothing : {"?", "-1", "None", "none", "unk", "unknown"})
      if (text == nothing) return 0;
    try {
      const Dim dim = Dim::parse(text);
      if (!dim.is_const() && !dim.is_unknown()) return dim;
    } catch (const Error&) {
      // No formula: a name.
    }
    return Dim::symbol(text);
  }

  // -- Nodes ---------------------------------------------------------------------------------
  void import_nodes(const google::protobuf::RepeatedPtrField<::onnx::NodeProto>& nodes,
                    Scope& scope) {
    count_ += nodes.size();
    TENON_CHECK(count_ <= kMaxNodes, unsupported,
                "{}: more than {} nodes when its functions are written out", label_, kMaxNodes);
    const auto known = [&](const std::string& name) { return scope.values.contains(name); };
    for (int index : order_nodes(nodes, known, scope.where))
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

    const std::string where = fmt::format("node {} of {}", label, scope.where);
    for (const std::string& input : proto.input())
      node.inputs.push_back(input.empty() ? Tensor() : find(scope, input, "node " + label));
    while (!node.inputs.empty() && !node.inputs.back().defined()) node.inputs.pop_back();

    TensorList outputs;
    if (const auto* function = functions_.find(proto)) {
      outputs = call_function(*function, proto, node, where, scope);
    } else {
      node.opset = opset_in(scope, node.domain);
      node.attrs = read_attributes(proto, scope, where);
      outputs = node.op_type == "Constant" && node.domain.empty()
                    ? TensorList{read_constant(node, where)}
                    : call_operator(node, where);
    }
    TENON_CHECK(outputs.size() >= node.output_count, unsupported,
                "{}: {} outputs are used, but {} of opset {} has {} here", where, node.output_count,
                node.op_type, node.opset, outputs.size());
    for (int i = 0; i < static_cast<int>(node.output_count); ++i) {
      const std::string& name = proto.output(i);
      if (name.empty()) continue;
      Tensor& output = outputs[static_cast<size_t>(i)];
      if (output.defined() && !scope.call) name_value(output, name);
      scope.values.emplace(name, std::move(output));
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
      if (value->has_sparse_tensor() && node_is_constant(proto)) {
        list.emplace_back("value", read_sparse_tensor(value->sparse_tensor(), external_, where));
      } else if (auto read = read_attribute(*value, external_, where)) {
        list.emplace_back(attribute.name(), std::move(*read));
      }
    }
    return Attrs(std::move(list));
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

  TensorList call_operator(OnnxNode& node, const std::string& where) {
    const OperatorForm form = form_of(node.op_type, node.domain, node.opset, where);
    recorder_->set_origin(node.name, where);
    const size_t before = recorder_->graph().nodes().size();
    TensorList outputs;
    if (!form.upgrade) {
      std::vector<const Tensor*> inputs;
      for (const Tensor& input : node.inputs) inputs.push_back(&input);
      outputs = recorder_->record(*form.op, inputs, node.attrs, node.output_count);
    } else {
      // Were all inputs concrete, the upgrade would compute here, however large the result; one
      // symbolic input makes it record, and fold_constants() computes what is small.
      const auto symbolic = [](const Tensor& t) { return t.defined() && t.is_symbolic(); };
      const auto first = std::ranges::find_if(node.inputs, &Tensor::defined);
      if (first != node.inputs.end() && std::ranges::none_of(node.inputs, symbolic))
        *first = recorder_->tensor_of(recorder_->value_of(*first));
      outputs =
          with_context([&] { return "at " + where; }, [&] { return upgraded(form, node, where); });
    }
    fold_constants(*recorder_, before, outputs);
    return outputs;
  }

  // Upgrades read what a well-formed node of the old opset has: the inputs that are there in all
  // opsets (those that decide shapes were attributes once), and attributes of the right types.
  static TensorList upgraded(const OperatorForm& form, const OnnxNode& node,
                             const std::string& where) {
    for (size_t i = 0; i < form.op->inputs.size(); ++i) {
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
    Scope scope;
    scope.call = &inner;
    scope.where = fmt::format("function {} ({})", function.name(), where);
    for (int i = 0; i < function.input_size(); ++i) {
      const auto at = static_cast<size_t>(i);
      scope.values.emplace(function.input(i), at < call.inputs.size() ? call.inputs[at] : Tensor());
    }
    ++depth_;
    import_nodes(function.node(), scope);
    --depth_;
    TensorList outputs;
    for (size_t i = 0; i < call.output_count; ++i)
      outputs.push_back(find(scope, function.output(static_cast<int>(i)), "the list of outputs"));
    return outputs;
  }

  ::onnx::ModelProto& model_;
  const std::string label_;
  const ImportOptions& options_;
  ExternalData external_;
  const Functions functions_;
  std::shared_ptr<graph::Recorder> recorder_;
  std::unordered_set<graph::ValueId> named_;
  int64_t count_ = 0;
  int depth_ = 0;
};

// What a caller would have done wrong, a file has wrong.
[[noreturn]] void rethrow_as_data(const Error& error) {
  Error changed(error.kind() == ErrorKind::usage ? ErrorKind::data : error.kind(), error.message());
  for (const std::string& context : error.contexts()) changed.add_context(context);
  throw changed;
}

}  // namespace

graph::Graph import_onnx(std::span<const std::byte> bytes, const std::string& name,
                         const ImportOptions& options, const std::string& folder) {
  const auto model = parse_model(bytes, name);
  try {
    return Importer(*model, name, options, folder).run();
  } catch (const Error& error) {
    rethrow_as_data(error);
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
                        return import_onnx(mapped.bytes(), file.filename().string(), options,
                                           folder);
                      });
}

std::vector<std::string> import_obstacles(const std::string& path) {
  const MappedFile mapped(path, MappedFile::Access::sequential);
  const auto model = parse_model(mapped.bytes(), path);
  return find_obstacles(*model, Functions(*model));
}

}  // namespace tenon::formats
