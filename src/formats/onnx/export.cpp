// Writes a graph as ModelProto.
#include "formats/onnx/export.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <optional>
#include <unordered_set>

#include "base/file.h"
#include "base/text.h"
#include "base/version.h"
#include "formats/onnx/graph_writer.h"
#include "formats/onnx/lower.h"
#include "formats/onnx/operators.h"

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

// Instead of contents: where they lie.
void refer(const Tensor& tensor, const std::string& location, uint64_t offset,
           ::onnx::TensorProto& proto) {
  const auto entry = [&](const char* key, std::string value) {
    auto& added = *proto.add_external_data();
    added.set_key(key);
    added.set_value(std::move(value));
  };
  entry("location", location);
  entry("offset", std::to_string(offset));
  entry("length", std::to_string(tensor.bytes()));
  proto.set_data_location(::onnx::TensorProto::EXTERNAL);
  proto.set_data_type(static_cast<int32_t>(tensor.dtype()));
  for (int64_t size : tensor.shape()) proto.add_dims(size);
}

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
    const Tensor whole = tensor.contiguous();
    refer(whole, location_, file_.size(), proto);
    file_.write({static_cast<const std::byte*>(whole.raw()), whole.bytes()});
  }
  void commit() { file_.commit(); }

 private:
  std::string location_;
  AtomicFile file_;
};

struct HowWritten {
  int opset = 0;
  std::string producer, doc;
  bool own = false;  // see GraphWriter
};

::onnx::ModelProto make_model(const graph::Graph& graph, const HowWritten& how, PlaceTensor place) {
  ::onnx::ModelProto model;
  model.set_ir_version(ir_version_of(how.opset));
  model.set_producer_name(how.producer);
  model.set_producer_version(std::string(kVersion));
  if (!how.doc.empty()) model.set_doc_string(how.doc);
  GraphWriter writer(graph, how.opset, std::move(place), how.own);
  writer.write(*model.mutable_graph());
  const auto add_opset = [&](const std::string& domain, int version) {
    auto& entry = *model.add_opset_import();
    entry.set_domain(domain);
    entry.set_version(version);
  };
  add_opset("", how.opset);
  for (const auto& [domain, version] : writer.domains()) add_opset(domain, version);
  return model;
}

// `data` receives large constants; null: all stay inline.
::onnx::ModelProto make_model(const graph::Graph& graph, const ExportOptions& options,
                              DataFile* data) {
  PlaceTensor place;
  if (data)
    place = [data](const Tensor& tensor, ::onnx::TensorProto& proto) {
      if ((kString | kStored).has(tensor.dtype()) || tensor.bytes() < kMinExternalBytes)
        return false;
      data->add(tensor, proto);
      return true;
    };
  return make_model(graph, {options.opset, options.producer, options.doc}, std::move(place));
}

// The graph with outputs that nodes make, each once, as files want them.
graph::Graph with_outputs_of_nodes(graph::Graph graph) {
  std::unordered_set<graph::ValueId> taken;
  for (graph::ValueId& id : graph.outputs) {
    if (graph.value(id).producer >= 0 && taken.insert(id).second) continue;
    const std::string wanted = graph.value(id).name + "_output";
    const graph::NodeId copy = graph.add_node(*op::find("Identity"), {}, {id}, 1, wanted);
    id = graph.node(copy).outputs[0];
    taken.insert(id);
  }
  return graph;
}

// The opset whose operators first take a type.
int first_opset_of(DType type) {
  if (kFloat8.has(type)) return 19;
  if (types(DType::u4, DType::i4).has(type)) return 21;
  if (type == DType::f4e2m1) return 23;
  if (type == DType::f8e8m0) return 24;
  return types(DType::u2, DType::i2).has(type) ? 25 : 1;
}

void check_types(const graph::Graph& graph, int opset) {
  for (const graph::Value& value : graph.values()) {
    const int first = first_opset_of(value.type.dtype);
    TENON_CHECK(first <= opset, unsupported,
                "export of graph {}: value {} is {}, which ONNX has from opset {} on, and opset {} "
                "was asked for; {}",
                graph.name, value.name, name(value.type.dtype), first, opset,
                first <= kMaxExportOpset
                    ? fmt::format("export opset {}", first)
                    : fmt::format("opsets past {} are not written", kMaxExportOpset));
  }
}

graph::Graph prepare(const graph::Graph& graph, const ExportOptions& options) {
  TENON_CHECK(options.opset >= kMinExportOpset && options.opset <= kMaxExportOpset, usage,
              "export: opset {} asked for; use {} to {}", options.opset, kMinExportOpset,
              kMaxExportOpset);
  TENON_CHECK(!graph.outputs.empty(), usage, "export: graph {} has no outputs; name at least one",
              graph.name);
  check_types(graph, options.opset);
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
        const ::onnx::ModelProto model = make_model(prepared, options, data ? &*data : nullptr);
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
  TENON_CHECK(make_model(prepared, options, nullptr).SerializeToString(&bytes), unsupported,
              "export of graph {}: the model is larger than an ONNX file can be; export to a path",
              graph.name);
  return bytes;
}

std::string export_own_bytes(const graph::Graph& graph, const PlaceConstant& place) {
  const graph::Graph whole = with_outputs_of_nodes(graph);
  const auto put = [&](const Tensor& tensor, ::onnx::TensorProto& proto) {
    TENON_CHECK(
        !is_container(tensor.dtype()), unsupported,
        "graph {}: a constant is a {}, which files do not hold; make it from tensors inside "
        "the graph",
        graph.name, name(tensor.dtype()));
    if ((kString | kStored).has(tensor.dtype())) return false;
    const Tensor dense = tensor.contiguous();
    const std::optional<uint64_t> offset = place(dense);
    if (offset) refer(dense, "weights", *offset, proto);
    return offset.has_value();
  };
  std::string bytes;
  TENON_CHECK(make_model(whole, {newest_opset(), "tenon", "", true}, put).SerializeToString(&bytes),
              unsupported,
              "graph {}: without its weights it is larger than 2 GiB; export it in parts",
              graph.name);
  return bytes;
}

}  // namespace tenon::formats
