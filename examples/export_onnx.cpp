// Exporting a model to ONNX with chosen names and an axis of any size, and running the file.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "formats/onnx/export.h"
#include "formats/onnx/import.h"
#include "graph/capture.h"
#include "graph/interpreter.h"
#include "nn/layers.h"
#include "runtime/random.h"

using namespace tenon;

int main() {
  nn::Sequential model;
  model.emplace<nn::Conv2d>(1, 8, 3, nn::Conv2dOptions{.padding = 1});
  model.emplace<nn::Activation>("Relu");
  model.emplace<nn::MaxPool2d>(2);
  model.emplace<nn::Flatten>();
  model.emplace<nn::Linear>(8 * 14 * 14, 10);
  model.eval();

  // The model is run once on a symbolic input: what it does becomes the graph.
  const graph::Graph graph = graph::capture(
      [&](const TensorList& in) { return TensorList{model(in[0])}; },
      {{"image", DType::f32, {Dim::symbol("batch"), 1, 28, 28}}}, {"logits"}, model.state());
  const TempDirectory folder;
  const std::string path = folder / "model.onnx";
  formats::export_onnx(graph, path, {.opset = 17});

  const graph::Graph loaded = formats::import_onnx(path);
  fmt::print("{}: {} -> {}, {} bytes\n", path, loaded.value(loaded.inputs[0]).type.str(),
             loaded.value(loaded.outputs[0]).type.str(), file_size(path));
  double most = 0;
  for (const int64_t batch : {1, 5}) {
    const Tensor x = randn({batch, 1, 28, 28});
    const std::vector<float> a = model(x).to_vector<float>();
    const std::vector<float> b = graph::Interpreter(loaded).run({x})[0].to_vector<float>();
    for (size_t i = 0; i < a.size(); ++i)
      most = std::max(most, static_cast<double>(std::abs(a[i] - b[i])));
  }
  fmt::print("largest difference: {}\n", most);
  return loaded.value(loaded.inputs[0]).name == "image" && most <= 1e-5 ? 0 : 1;
}
