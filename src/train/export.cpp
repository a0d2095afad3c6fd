// tenon export: a checkpoint as an ONNX model, checked by loading it again.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "formats/onnx/export.h"
#include "formats/onnx/import.h"
#include "graph/capture.h"
#include "graph/interpreter.h"
#include "runtime/random.h"
#include "train/model_file.h"
#include "train/run.h"

namespace tenon::train {

namespace {

Dims input_dims(const Shape& item, const std::map<int64_t, std::string>& dynamic) {
  Dims dims{Dim(1)};
  for (const int64_t size : item) dims.emplace_back(size);
  const auto rank = static_cast<int64_t>(dims.size());
  for (const auto& [axis, name] : dynamic) {
    TENON_CHECK(axis >= 0 && axis < rank, usage,
                "export: axis {} of the input is outside its shape {}; use 0 to {}", axis,
                str(dims), rank - 1);
    dims[static_cast<size_t>(axis)] = Dim::symbol(name);
  }
  return dims;
}

// Inputs for the check, [items, ...] in batches: of the recipe's test data, else random.
class CheckInputs {
 public:
  CheckInputs(const Checkpoint& checkpoint, int64_t items) : info_(checkpoint.info), items_(items) {
    const Config config = Config::parse(info_.recipe, "the checkpoint's recipe");
    if (!config.section("data").has("test")) return;
    source_ = load_recipe_data(config, "test").split.items;
    items_ = std::min(items, source_->size());
  }
  int64_t items() const { return items_; }
  Tensor batch(int64_t first, int64_t count) const {
    if (!source_) {
      Shape shape = info_.input_shape;
      shape.insert(0, count);
      return rand(shape).to(info_.input_type);
    }
    std::vector<int64_t> indices;
    for (int64_t i = first; i < first + count; ++i) indices.push_back(i);
    return source_->read_batch(indices)[info_.input];
  }

 private:
  const ModelInfo& info_;
  int64_t items_;
  data::SourcePtr source_;
};

double max_difference(const Tensor& a, const Tensor& b) {
  TENON_CHECK(a.shape() == b.shape(), data,
              "export: the exported model gives {}, the checkpoint {}; do not use the file",
              b.shape().str(), a.shape().str());
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  double most = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double distance = std::abs(x[i] - y[i]);
    if (!(distance <= most)) most = distance;  // NaN too
  }
  return most;
}

}  // namespace

ExportResult export_checkpoint(const ExportRequest& request) {
  const ModelFile file = open_model(request.checkpoint, request.models);
  TENON_CHECK(file.module, usage, "export: {} is an ONNX model already; give a checkpoint",
              request.checkpoint);
  const ModelInfo& info = file.checkpoint->info;
  const Dims dims = input_dims(info.input_shape, request.dynamic);
  nn::Module& model = *file.module;
  graph::Graph graph = graph::capture(
      [&](const TensorList& x) { return TensorList{model(x[0])}; },
      {{request.input_name.empty() ? info.input : request.input_name, info.input_type, dims}},
      {request.output_name}, model.state());
  formats::export_onnx(graph, request.output, {.opset = request.opset});

  ExportResult result{
      .output = request.output, .bytes = file_size(request.output), .opset = request.opset};
  const graph::Graph loaded = formats::import_onnx(request.output);
  result.nodes = static_cast<int64_t>(loaded.nodes().size());
  for (const Tensor& tensor : model.parameters()) result.parameters += tensor.numel();
  if (request.check_items <= 0) return result;
  const CheckInputs inputs(*file.checkpoint, request.check_items);
  const Predict other = predictor(loaded);
  const int64_t batch =
      dims[0].is_const() ? dims[0].value() : std::min<int64_t>(inputs.items(), 100);
  for (int64_t first = 0; first + batch <= inputs.items(); first += batch) {
    const Tensor x = inputs.batch(first, batch);
    const double difference = max_difference(file.predict(x), other(x));
    if (!(difference <= result.max_abs_diff)) result.max_abs_diff = difference;
    result.checked_items += batch;
  }
  result.agrees = result.max_abs_diff <= request.tolerance;
  return result;
}

Json to_json(const ExportResult& result) {
  return {{"output", result.output},
          {"bytes", result.bytes},
          {"nodes", result.nodes},
          {"parameters", result.parameters},
          {"opset", result.opset},
          {"checked_items", result.checked_items},
          {"max_abs_diff", result.max_abs_diff},
          {"agrees", result.agrees}};
}

}  // namespace tenon::train
