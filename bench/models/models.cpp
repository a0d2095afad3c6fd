// The models that the engine is measured on beside recorded ones: well-known architectures, built
// with the nn API from seeded weights, each a folder with model.onnx, inputs and meta.json.
//
//   bench_models FOLDER        what is there already is kept
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "encoders.h"
#include "formats/onnx/export.h"
#include "graph/capture.h"
#include "image_models.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"
#include "tensor/npy.h"

namespace bench {

using namespace tenon;

namespace {

constexpr int64_t kSequence = 128;
constexpr int kOpset = 17;  // which every runtime of today reads

struct Recorded {
  std::string name;
  Tensor value;
};

// Writes the folder; the graph's inputs are those of `inputs`, their first axis dynamic.
void write_model(const std::string& folder, nn::Module& model, const graph::Function& function,
                 const std::vector<Recorded>& inputs, const std::string& output) {
  model.eval();
  std::vector<graph::InputSpec> specs;
  for (const Recorded& input : inputs) {
    Dims dims = to_dims(input.value.shape());
    dims[0] = Dim::symbol("batch");
    specs.push_back({input.name, input.value.dtype(), dims});
  }
  const NoGrad no_grad;
  const graph::Graph graph = graph::capture(function, specs, {output}, model.state());
  create_directories(folder);
  Json list = Json::array();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string file = fmt::format("c0_input_{}.npy", i);
    npy::write_file(folder + "/" + file, inputs[i].value);
    list.push_back({{"name", inputs[i].name}, {"file", file}});
  }
  write_json(folder + "/meta.json", {{"cases", Json::array({{{"case", 0}, {"inputs", list}}})}});
  formats::export_onnx(graph, folder + "/model.onnx", {.opset = kOpset});
}

void write_image_model(const std::string& folder, nn::Module& model) {
  // Running statistics as training would leave them, so that no layer's values vanish or explode.
  {
    const NoGrad no_grad;
    model.train();
    model(randn({4, 3, 224, 224}));
  }
  write_model(
      folder, model, [&](const TensorList& x) { return TensorList{model(x[0])}; },
      {{"images", randn({1, 3, 224, 224})}}, "logits");
}

void write_encoder(const std::string& folder, const EncoderOptions& options) {
  Encoder model(options);
  const Tensor ids =
      rand({1, kSequence}, 0, static_cast<double>(options.vocabulary)).to(DType::i64);
  // The last eighth is padding.
  const Tensor mask = Tensor::ones({1, kSequence}, DType::i64);
  mask.slice(1, kSequence - kSequence / 8, kSequence).fill(0);
  write_model(
      folder, model,
      [&](const TensorList& x) { return TensorList{model.encode(x[0], x[1], x[2])}; },
      {{"input_ids", ids},
       {"attention_mask", mask},
       {"token_type_ids", Tensor::zeros({1, kSequence}, DType::i64)}},
      "last_hidden_state");
}

struct Entry {
  const char* name;
  std::function<void(const std::string& folder)> write;
};

int write_all(const std::string& folder) {
  const std::vector<Entry> entries{
      {"resnet18", [](const std::string& to) { write_image_model(to, *resnet18()); }},
      {"resnet50", [](const std::string& to) { write_image_model(to, *resnet50()); }},
      {"mobilenet_v2", [](const std::string& to) { write_image_model(to, *mobilenet_v2()); }},
      {"bert_base", [](const std::string& to) { write_encoder(to, bert_base()); }},
      {"minilm_l6", [](const std::string& to) { write_encoder(to, minilm_l6()); }},
  };
  for (const Entry& entry : entries) {
    const std::string to = fmt::format("{}/{}", folder, entry.name);
    if (exists(to + "/model.onnx")) continue;
    std::printf("%s\n", to.c_str());
    std::fflush(stdout);
    manual_seed(1);
    entry.write(to);
  }
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "bench models: give the folder to write to, and nothing else\n");
    return 2;
  }
  try {
    return bench::write_all(argv[1]);
  } catch (const tenon::Error& error) {
    std::fprintf(stderr, "bench models: %s\n", error.what());
    return tenon::info(error.kind()).exit_code;
  }
}
