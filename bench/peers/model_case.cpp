#include "model_case.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/model_inputs.h"
#include "formats/onnx/import.h"
#include "tensor/npy.h"

namespace bench {

using namespace tenon;

namespace {

TensorList recorded_inputs(const std::string& folder, const graph::Graph& graph) {
  const Json meta = read_json(folder + "/meta.json");
  TensorList inputs(graph.inputs.size());
  for (const Json& entry : meta.at("cases").at(0).at("inputs")) {
    const graph::ValueId id = graph.find_value(entry.at("name").get<std::string>());
    const auto at = std::ranges::find(graph.inputs, id);
    if (at != graph.inputs.end())
      inputs[static_cast<size_t>(at - graph.inputs.begin())] =
          npy::read_file(folder + "/" + entry.at("file").get<std::string>());
  }
  return inputs;
}

// The first item of `tensor` along `axis`, `count` times.
Tensor repeated(const Tensor& tensor, size_t axis, int64_t count) {
  Shape shape = tensor.shape();
  shape[axis] = count;
  return tensor.slice(static_cast<int64_t>(axis), 0, 1).expand(shape).clone().contiguous();
}

// Whether the inputs could be brought to `batch` items.
bool set_batch(const graph::Graph& graph, TensorList& inputs, int64_t batch) {
  if (cli::batch_of(inputs) == batch) return true;
  const Dims& first = graph.value(graph.inputs[0]).type.dims;
  if (first.empty() || first[0].is_const()) return false;
  const std::vector<std::string> symbols = first[0].symbols();
  const bool named = symbols.size() == 1 && first[0] == Dim::symbol(symbols[0]);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Dims& dims = graph.value(graph.inputs[i]).type.dims;
    for (size_t d = 0; d < dims.size() && d < inputs[i].rank(); ++d)
      if ((named && dims[d] == first[0]) || (i == 0 && d == 0))
        inputs[i] = repeated(inputs[i], d, batch);
  }
  return true;
}

}  // namespace

std::vector<std::string> find_models(const std::string& folder) {
  std::vector<std::string> list;
  if (!is_directory(folder)) return list;
  for (const DirectoryEntry& entry : list_directory(folder))
    if (entry.kind == EntryKind::directory && exists(folder + "/" + entry.name + "/model.onnx"))
      list.push_back(folder + "/" + entry.name);
  return list;
}

std::optional<ModelCase> make_case(const std::string& folder, int64_t batch) {
  ModelCase made{.name = std::filesystem::path(folder).filename().string(),
                 .path = folder + "/model.onnx",
                 .batch = batch};
  const graph::Graph graph = formats::import_onnx(made.path);
  made.inputs = exists(folder + "/meta.json") ? recorded_inputs(folder, graph)
                                              : cli::random_inputs(graph, {}, 1);
  for (const Tensor& input : made.inputs)
    TENON_CHECK(input.defined(), data, "{}: meta.json records no value for some input; add it",
                folder);
  made.stretched = cli::batch_of(made.inputs) != batch;
  if (!set_batch(graph, made.inputs, batch)) return std::nullopt;
  for (const graph::ValueId id : graph.inputs) made.input_names.push_back(graph.value(id).name);
  return made;
}

void write_case(const ModelCase& made, const std::string& folder) {
  for (size_t i = 0; i < made.inputs.size(); ++i)
    npy::write_file(fmt::format("{}/{}.npy", folder, i), made.inputs[i]);
  write_json(folder + "/case.json", {{"name", made.name},
                                     {"path", made.path},
                                     {"batch", made.batch},
                                     {"inputs", made.input_names}});
}

ModelCase read_case(const std::string& folder) {
  const Json json = read_json(folder + "/case.json");
  ModelCase made{.name = json.at("name"), .path = json.at("path"), .batch = json.at("batch")};
  for (const Json& name : json.at("inputs")) {
    made.inputs.push_back(npy::read_file(fmt::format("{}/{}.npy", folder, made.inputs.size())));
    made.input_names.push_back(name);
  }
  return made;
}

}  // namespace bench
