// Running a model inside a program of one's own: a session, memory of the caller's on both sides.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/file.h"
#include "engine/session.h"
#include "formats/onnx/export.h"
#include "graph/capture.h"
#include "nn/layers.h"
#include "runtime/random.h"

using namespace tenon;

int main() {
  const TempDirectory folder;
  const std::string path = folder / "model.onnx";
  nn::Sequential model;  // stands in for a model that somebody trained
  model.emplace<nn::Conv2d>(1, 8, 3, nn::Conv2dOptions{.padding = 1});
  model.emplace<nn::Activation>("Relu");
  model.emplace<nn::GlobalAvgPool2d>();
  model.emplace<nn::Flatten>();
  model.emplace<nn::Linear>(8, 4);
  model.eval();
  formats::export_onnx(
      graph::capture([&](const TensorList& in) { return TensorList{model(in[0])}; },
                     {{"image", DType::f32, {Dim::symbol("batch"), 1, 16, 16}}}, {"scores"},
                     model.state()),
      path);

  const engine::Session session = engine::Session::load(path, {.threads = 1});
  std::vector<float> pixels(2 * 16 * 16, 0.5F), scores(2 * 4);
  const Tensor image = Tensor::borrow(pixels.data(), {2, 1, 16, 16}, DType::f32);
  TensorList results{Tensor::borrow(scores.data(), {2, 4}, DType::f32)};
  session.run_into({image}, results);  // copies nothing: reads pixels, writes scores

  const std::vector<float> expected = model(image).to_vector<float>();
  float most = 0;
  for (size_t i = 0; i < scores.size(); ++i)
    most = std::max(most, std::abs(scores[i] - expected[i]));
  fmt::print("{} -> {}: largest difference {}\n", session.inputs()[0].name,
             session.outputs()[0].name, most);
  return most <= 1e-5F ? 0 : 1;
}
