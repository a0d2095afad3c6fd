// Writes a graph as ModelProto.
#include "formats/onnx/export.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <unordered_set>

#include "base/file.h"
#include "base/text.h"
#include "base/version.h"
#include "formats/onnx/attributes.h"
#include "formats/onnx/lower.h"
#include "formats/onnx/tensors.h"

namespace tenon::formats {

namespace {

constexpr uint64_t kDataAlignment = 4096;  // so that each tensor can be mapped by itself
constexpr uint64_t kMinExternalBytes =
    1024;  // smaller ones stay in the model, where shapes are read from

// https://github.com/onnx/onnx/blob/main/docs/Versioning.md, released versions
int ir_version_of(int opset) {
  if (opset >= 21) return 10;
  if (opset >= 19) return 9;
  return opset >= 15 ? 8 : 7;
}

class FileStream final : public google::protobuf::io::CopyingOutputStream {
 public:
  explicit FileStream(AtomicFile& file) : file_(file) {}
  bool Write(const void* buffer, int size) override {
    file_.write({static_cast<const std::byte*>(buffer), static_cast<size_t>(size)});
    return true;
  }

 private:
  AtomicFile& file_;
};

// Where the contents of large constants go.
class DataFile {
 public:
  DataFile(const std::string& model_path)
      : location_(std::filesystem::path(model_path).filename().string() + ".data"),
        file_(model_path + ".data") {}

  void add(const Tensor& tensor, ::onnx::TensorProto& proto) {
    const std::string padding((kDataAlignment - file_.size() % kDataAlignment) % kDataAlignment,
                              '\0');
    file_.write(padding);
    const auto entry = [&](const char* key, std::string value) {
      auto& added = *proto.add_external_data();
      added.set_key(key);
      added.set_value(std::move(value));
    };
    const Tensor whole = tensor.contiguous();
    entry("location", location_);
    entry("offset", std::to_string(file_.size()));
    entry("length", std::to_string(whole.bytes()));
    proto.set_data_location(::onnx::TensorProto::EXTERNAL);
    proto.set_data_type(static_cast<int32_t>(tensor.dtype()));
    for (int64_t size : tensor.shape()) proto.add_dims(size);
    file_.write({static_cast<const std::byte*>(whole.raw()), whole.bytes()});
  }
  void commit() { file_.commit(); }

 private:
  std::string location_;
  AtomicFile file_;
};

class Exporter {
 public:
  Exporter(const graph::Graph& graph, const ExportOptions& options)
      : graph_(graph), options_(options), tensors_(tensors_of_values(graph)) {
    for (const graph::Value& value : graph.values()) names_.insert(value.name);
  }

  // `data` receives large constants; null: all stay inline.
  ::onnx::ModelProto run(DataFile* data) {
    model_.set_ir_version(ir_version_of(options_.opset));
    model_.set_producer_name(options_.producer);
    model_.set_producer_version(std::string(kVersion));
    if (!options_.doc.empty()) model_.set_doc_string(options_.doc);
    auto& proto = *model_.mutable_graph();
    proto.set_name(graph_.name.empty() ? "graph" : graph_.name);
    for (size_t n = 0; n < graph_.nodes().size(); ++n) add_node(static_cast<graph::NodeId>(n));
    add_opsets();
    for (const auto& [name, tensor] : constants_) {
      auto& initializer = *proto.add_initializer();
      if (data && tensor.dtype() != DType::string && tensor.bytes() >= kMinExternalBytes) {
        data->add(tensor, initializer);
      } else {
        write_tensor(tensor, initializer);
      }
      initializer.set_name(name);
    }
    for (graph::ValueId id : graph_.inputs) add_value(id, *proto.add_input());
    for (graph::ValueId id : graph_.outputs) add_value(id, *proto.add_output());
    for (const graph::Node& node : graph_.nodes())
      for (graph::ValueId id : node.outputs)
        if (id != graph::kNoValue && std::ranges::find(graph_.outputs, id) == graph_.outputs.end())
          add_value(id, *proto.add_value_info());
    return std::move(model_);
  }

 private:
  void add_opsets() {
    auto& standard = *model_.add_opset_import();
    standard.set_domain("");
    standard.set_version(options_.opset);
    std::map<std::string_view, int> others;
    for (const graph::Node& node : graph_.nodes())
      if (!node.op->onnx.domain.empty())
        others[node.op->onnx.domain] = std::max(others[node.op->onnx.domain], node.op->onnx.since);
    for (const auto& [domain, version] : others) {
      auto& entry = *model_.add_opset_import();
      entry.set_domain(std::string(domain));
      entry.set_version(version);
    }
  }

  void add_value(graph::ValueId id, ::onnx::ValueInfoProto& proto) {
    const graph::Value& value = graph_.value(id);
    proto.set_name(value.name);
    auto& type = *proto.mutable_type()->mutable_tensor_type();
    type.set_elem_type(static_cast<int32_t>(value.type.dtype));
    if (!value.type.ranked) return;
    auto& shape = *type.mutable_shape();
    for (const Dim& dim : value.type.dims) {
      auto& size = *shape.add_dim();
      if (dim.is_const()) {
        size.set_dim_value(dim.value());
      } else if (!dim.is_unknown()) {
        size.set_dim_param(dim.str());
      }
    }
  }

  void add_node(graph::NodeId id) {
    const graph::Node& node = graph_.node(id);
    const OnnxNode spelled = spell(graph_, id, options_.opset, tensors_);
    auto& proto = *model_.mutable_graph()->add_node();
    proto.set_name(node.name.empty() ? fmt::format("{}_{}", node.op->name, id) : node.name);
    proto.set_op_type(spelled.op_type);
    if (!spelled.domain.empty()) proto.set_domain(spelled.domain);
    for (size_t i = 0; i < spelled.inputs.size(); ++i)
      proto.add_input(input_name(node, spelled.inputs[i], i));
    while (proto.input_size() && proto.input(proto.input_size() - 1).empty())
      proto.mutable_input()->RemoveLast();
    for (graph::ValueId output : node.outputs)
      proto.add_output(output == graph::kNoValue ? std::string() : graph_.value(output).name);
    const bool canonical = spelled.op_type == node.op->name;
    for (const Attr& attr : spelled.attrs.list())
      write_attribute(attr, canonical ? node.op->find_attr(attr.name) : nullptr,
                      *proto.add_attribute(), describe(graph_, id));
  }

  // The name of a node's input: one of the graph's values, or a constant that lowering made.
  std::string input_name(const graph::Node& node, const Tensor& tensor, size_t i) {
    if (!tensor.defined()) return {};
    for (graph::ValueId id : node.inputs) {
      if (id == graph::kNoValue || !tensors_[static_cast<size_t>(id)].same_as(tensor)) continue;
      const graph::Value& value = graph_.value(id);
      if (value.is_constant() && written_.insert(id).second)
        constants_.emplace_back(value.name, value.type.constant);
      return value.name;
    }
    TENON_BUG_IF(tensor.is_symbolic(),
                 "lowering {} for opset {} reads a value that the node did not", node.op->name,
                 options_.opset);
    std::string name = fmt::format(
        "{}_{}",
        node.outputs[0] == graph::kNoValue ? node.name : graph_.value(node.outputs[0]).name, i);
    while (!names_.insert(name).second) name += "_";
    constants_.emplace_back(name, tensor);
    return name;
  }

  const graph::Graph& graph_;
  const ExportOptions& options_;
  const TensorList tensors_;
  ::onnx::ModelProto model_;
  std::unordered_set<std::string> names_;
  std::unordered_set<graph::ValueId> written_;
  std::vector<std::pair<std::string, Tensor>> constants_;  // in the order of their first readers
};

graph::Graph prepare(const graph::Graph& graph, const ExportOptions& options) {
  TENON_CHECK(options.opset >= kMinExportOpset && options.opset <= kMaxExportOpset, usage,
              "export: opset {} asked for; use {} to {}", options.opset, kMinExportOpset,
              kMaxExportOpset);
  TENON_CHECK(!graph.outputs.empty(), usage, "export: graph {} has no outputs; name at least one",
              graph.name);
  return expand_for_opset(graph, options.opset);
}

uint64_t bytes_of_constants(const graph::Graph& graph) {
  uint64_t bytes = 0;
  for (const graph::Value& value : graph.values())
    if (value.is_constant()) bytes += value.type.constant.bytes();
  return bytes;
}

}  // namespace

void export_onnx(const graph::Graph& graph, const std::string& path, const ExportOptions& options) {
  with_context(
      [&] { return "while exporting to " + path; },
      [&] {
        const graph::Graph prepared = prepare(graph, options);
        std::optional<DataFile> data;
        if (bytes_of_constants(prepared) > options.max_inline_bytes) data.emplace(path);
        const ::onnx::ModelProto model = Exporter(prepared, options).run(data ? &*data : nullptr);
        AtomicFile file(path);
        {
          FileStream stream(file);
          google::protobuf::io::CopyingOutputStreamAdaptor adaptor(&stream);
          TENON_CHECK(model.SerializeToZeroCopyStream(&adaptor) && adaptor.Flush(), resource,
                      "{}: the model is larger than an ONNX file can be; lower max_inline_bytes",
                      path);
        }
        // The data first: a model must never name data that is not there.
        if (data) data->commit();
        file.commit();
      });
}

std::string export_onnx_bytes(const graph::Graph& graph, const ExportOptions& options) {
  const graph::Graph prepared = prepare(graph, options);
  TENON_CHECK(
      bytes_of_constants(prepared) <= options.max_inline_bytes, unsupported,
      "export of graph {}: its constants take {}, too much for one ONNX file; export to a path",
      graph.name, text::human_bytes(bytes_of_constants(prepared)));
  std::string bytes;
  TENON_CHECK(Exporter(prepared, options).run(nullptr).SerializeToString(&bytes), unsupported,
              "export of graph {}: the model is larger than an ONNX file can be; export to a path",
              graph.name);
  return bytes;
}

}  // namespace tenon::formats
