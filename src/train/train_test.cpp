// Recipes, fitting, resuming and what runs leave behind, on small made-up data.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/text.h"
#include "data/sources.h"
#include "formats/safetensors.h"
#include "nn/layers.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "runtime/random.h"
#include "tensor/npy.h"
#include "train/fit.h"
#include "train/recipe.h"
#include "train/run.h"
#include "train/tensorboard.h"

namespace tenon::train {
namespace {

template <class Body>
std::string failure(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return std::string(info(error.kind()).name) + ": " + error.what();
  }
  return "no failure";
}

// Points around three centres; the label is the centre.
struct Blobs {
  Tensor points, labels;
};
Blobs blobs(int64_t count) {
  Generator random(7);
  Blobs made{Tensor::empty({count, 2}), Tensor::empty({count}, DType::i64)};
  for (int64_t i = 0; i < count; ++i) {
    const int64_t label = i % 3;
    made.labels.data<int64_t>()[i] = label;
    made.points.data<float>()[2 * i] =
        static_cast<float>((label == 1 ? 3 : 0) + 0.5 * random.normal());
    made.points.data<float>()[2 * i + 1] =
        static_cast<float>((label == 2 ? 3 : 0) + 0.5 * random.normal());
  }
  return made;
}
data::SourcePtr source(int64_t count) {
  const Blobs made = blobs(count);
  return data::tensor_source(
      {{"image", made.points}, {"label", made.labels, data::Role::value, {"a", "b", "c"}}});
}

// Dropout makes it depend on the process's random numbers.
struct Net final : nn::Module {
  nn::Linear hidden{2, 8}, out{8, 3};
  nn::Dropout drop{0.2};
  Net() { add("hidden", hidden), add("drop", drop), add("out", out); }
  Tensor forward(const Tensor& x) override { return out(drop(op::Relu(hidden(x)))); }
};

std::vector<std::vector<float>> values(const nn::Module& model) {
  std::vector<std::vector<float>> all;
  for (const auto& [name, tensor] : model.state()) all.push_back(tensor.to_vector<float>());
  return all;
}

class StopAt final : public Callback {
 public:
  StopAt(int64_t step, Cancellation flag) : step_(step), flag_(std::move(flag)) {}
  void on_step(const StepReport& report) override {
    if (report.step == step_) flag_.cancel();
  }

 private:
  int64_t step_;
  Cancellation flag_;
};

// From a step on, no file may become larger than so many bytes: as on a disk that is full, writes
// fail half way.
class LimitFilesAt final : public Callback {
 public:
  LimitFilesAt(int64_t step, rlim_t bytes) : step_(step), bytes_(bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);  // the write is to fail, not the process
  }
  ~LimitFilesAt() override {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  void on_step(const StepReport& report) override {
    if (report.step != step_) return;
    const rlimit limited{bytes_, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }

 private:
  int64_t step_;
  rlim_t bytes_;
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

struct Training {
  Net model;
  nn::Adam optimizer{model, {.lr = 0.02}};
  data::Loader loader{source(90), {.batch = 8, .shuffle = true, .seed = 3, .workers = 1}};
  FitOptions options{.epochs = 3,
                     .schedule = std::make_shared<nn::CosineSchedule>(36),
                     .validation = source(30),
                     .progress = false};
};

TEST(Fit, Learns) {
  manual_seed(1);
  Training run;
  run.options.epochs = 8;
  run.options.schedule = nullptr;
  const History history = fit(run.model, cross_entropy, run.optimizer, run.loader, run.options);
  ASSERT_EQ(history.size(), 8U);
  EXPECT_EQ(history.back().step, 8 * 12);
  EXPECT_LT(*history.back().find("train_loss"), *history.front().find("train_loss"));
  EXPECT_GT(*history.back().find("validation_accuracy"), 0.9);
}

TEST(Fit, KeepsTheLastCheckpointWhenTheNextCannotBeWritten) {
  const TempDirectory folder;
  manual_seed(5);
  Training run;
  run.options.checkpoint.folder = folder.path();
  run.options.callbacks = {std::make_shared<LimitFilesAt>(13, 512)};  // in the second epoch
  const std::string message =
      failure([&] { fit(run.model, cross_entropy, run.optimizer, run.loader, run.options); });
  run.options.callbacks.clear();
  EXPECT_TRUE(message.starts_with("resource: ")) << message;
  EXPECT_NE(message.find(".safetensors: cannot write: File too large"), std::string::npos)
      << message;
  EXPECT_EQ(load_checkpoint(folder / "last.safetensors").state->epoch, 1);
  for (const std::string& file : list_files(folder.path()))
    EXPECT_TRUE(file.ends_with(".safetensors")) << file;
}

// Interrupted in the middle of the second epoch and resumed in fresh objects: not a bit differs.
TEST(Fit, ResumesBitForBit) {
  manual_seed(5);
  Training straight;
  const History expected =
      fit(straight.model, cross_entropy, straight.optimizer, straight.loader, straight.options);

  const TempDirectory folder;
  manual_seed(5);
  {
    Training first;
    const Cancellation stop;
    first.options.cancellation = stop;
    first.options.checkpoint.folder = folder.path();
    first.options.callbacks = {std::make_shared<StopAt>(17, stop)};
    const std::string message = failure(
        [&] { fit(first.model, cross_entropy, first.optimizer, first.loader, first.options); });
    EXPECT_NE(message.find("cancelled: train: cancelled in epoch 2 after step 17"),
              std::string::npos)
        << message;
    EXPECT_NE(message.find("last.safetensors: resume"), std::string::npos) << message;
  }
  manual_seed(99);
  Training second;
  const Checkpoint saved = load_checkpoint(folder / "last.safetensors");
  second.options.resume = &saved;
  const History history =
      fit(second.model, cross_entropy, second.optimizer, second.loader, second.options);
  EXPECT_EQ(values(second.model), values(straight.model));
  ASSERT_EQ(history.size(), expected.size());
  for (size_t i = 0; i < history.size(); ++i) EXPECT_EQ(history[i].values, expected[i].values) << i;
}

TEST(Fit, StopsWithoutImprovement) {
  manual_seed(1);
  Training run;
  run.options.epochs = 50;
  run.options.patience = 2;
  run.options.watch = "validation_accuracy";
  run.options.schedule = nullptr;
  const TempDirectory folder;
  run.options.checkpoint = {.folder = folder.path(), .keep = 1};
  const History history = fit(run.model, cross_entropy, run.optimizer, run.loader, run.options);
  ASSERT_LT(history.size(), 50U);
  const Checkpoint last = load_checkpoint(folder / "last.safetensors");
  EXPECT_EQ(last.state->epoch - last.state->best_epoch, 2);
  EXPECT_TRUE(exists(folder / "best.safetensors"));
  EXPECT_TRUE(exists(folder.path() + fmt::format("/epoch-{:04}.safetensors", history.size())));
  EXPECT_FALSE(exists(folder.path() + fmt::format("/epoch-{:04}.safetensors", history.size() - 1)));
}

TEST(Checkpoint, OfAnotherModelIsRefused) {
  const TempDirectory folder;
  const Training run;
  save_checkpoint(folder / "a.safetensors", {.model = run.model.state()});
  const Checkpoint loaded = load_checkpoint(folder / "a.safetensors");
  nn::Sequential other;
  other.emplace<nn::Linear>(2, 3);
  const std::string message = failure([&] { other.load_state(loaded.model); });
  EXPECT_NE(message.find("data: load_state: 0.weight is missing"), std::string::npos) << message;
  EXPECT_NE(failure([&] {
              Training fresh;
              fresh.options.resume = &loaded;
              fit(fresh.model, cross_entropy, fresh.optimizer, fresh.loader, fresh.options);
            }).find("a model alone"),
            std::string::npos);
}

TEST(Checkpoint, DamageIsReported) {
  const TempDirectory folder;
  const std::string path = folder / "a.safetensors";
  const auto load = [&](const std::map<std::string, std::string>& metadata) {
    formats::write_safetensors(path, {{"model.w", Tensor::ones({2})}}, metadata);
    return failure([&] { load_checkpoint(path); });
  };
  EXPECT_NE(load({}).find("data: " + path + ": is a safetensors file, but no checkpoint"),
            std::string::npos);
  EXPECT_NE(load({{"tenon.model", "{"}}).find("data: " + path + ": tenon.model:1:"),
            std::string::npos);
  EXPECT_NE(load({{"tenon.model", "{}"}}).find("the description of the model is damaged"),
            std::string::npos);
  const std::string model =
      R"({"input": "x", "target": "y", "input_type": "f32", "input_shape": [-1], "classes": []})";
  EXPECT_NE(load({{"tenon.model", model}}).find("input shape [-1] is none"), std::string::npos);
  EXPECT_NE(load({{"tenon.model", text::replace_all(model, "-1", "1")}, {"tenon.state", "[]"}})
                .find("the description of the model is damaged"),
            std::string::npos);
  EXPECT_EQ(load({{"tenon.model", text::replace_all(model, "-1", "1")}}), "no failure");
}

// Files for a recipe, and the recipe with `model` and `rest` as given.
class RecipeTest : public ::testing::Test {
 protected:
  RecipeTest() {
    const Blobs made = blobs(120);
    npy::write_file(folder_ / "x.npy", made.points);
    npy::write_file(folder_ / "y.npy", made.labels);
  }
  std::string text(std::string_view model, std::string_view rest) const {
    return fmt::format(
        "seed: 1\ndata:\n  train: &files {{type: npy, columns: {{image: {0}/x.npy, label: "
        "{0}/y.npy}}}}\n"
        "  test: *files\n  batch: 16\nmodel:\n{1}\n{2}\n",
        folder_.path(), model, rest);
  }
  std::string refusal(std::string_view model, std::string_view rest = "") const {
    return failure([&] { make_recipe(Config::parse(text(model, rest), "r.yaml")); });
  }
  TempDirectory folder_;
};

constexpr std::string_view kModel =
    "  - linear: 16\n  - relu\n  - dropout: 0.1\n  - linear: {out: 3}";

TEST_F(RecipeTest, RunsExportsAndShowsWhatWasDone) {
  write_file(folder_ / "r.yaml", text(kModel,
                                      "optimizer: {type: adamw, lr: 0.05}\nepochs: 4\n"
                                      "schedule: {type: cosine, warmup: 0.5}\nclip_norm: 5"));
  TrainOptions options{.recipe = folder_ / "r.yaml", .output = folder_ / "out", .if_changed = true};
  const TrainResult result = train_recipe(options);
  ASSERT_TRUE(result.test);
  EXPECT_GT(*result.test->accuracy, 0.9);
  EXPECT_EQ(result.parameters, 2 * 16 + 16 + 16 * 3 + 3);
  for (const char* name :
       {"last.safetensors", "history.json", "recipe.yaml", "result.json", "report.html"})
    EXPECT_TRUE(exists(folder_ / ("out/" + std::string(name)))) << name;
  EXPECT_NE(read_file(result.report).find("<svg"), std::string::npos);

  const TrainResult again = train_recipe(options);
  EXPECT_TRUE(again.up_to_date);
  EXPECT_EQ(again.test->accuracy, result.test->accuracy);
  options.options.set = {{"epochs", "1"}};
  EXPECT_FALSE(train_recipe(options).up_to_date);

  const ExportResult exported = export_checkpoint(
      {.checkpoint = result.checkpoint, .output = folder_ / "m.onnx", .check_items = 50});
  EXPECT_EQ(exported.checked_items, 50);
  EXPECT_TRUE(exported.agrees) << exported.max_abs_diff;
  const Evaluation by_checkpoint = evaluate_file({.model = result.checkpoint});
  const Evaluation by_onnx =
      evaluate_file({.model = folder_ / "m.onnx", .recipe = folder_ / "r.yaml"});
  EXPECT_EQ(by_checkpoint.confusion, by_onnx.confusion);
  EXPECT_EQ(by_checkpoint.items, 120);
}

TEST_F(RecipeTest, SaysWhatIsWrong) {
  EXPECT_NE(refusal("  - linaer: 3")
                .find("r.yaml:7: no layer is called 'linaer'; did you mean 'linear'?"),
            std::string::npos)
      << refusal("  - linaer: 3");
  EXPECT_NE(refusal("  - linear: {bias: false}").find("linear needs out"), std::string::npos);
  EXPECT_NE(refusal("  - linear: {out: 3, biass: false}")
                .find("unknown key 'biass' in model[0].linear; did you mean 'bias'?"),
            std::string::npos)
      << refusal("  - linear: {out: 3, biass: false}");
  EXPECT_NE(refusal("  - conv2d: 8").find("conv2d on [batch, 2]: its input has 2 axes"),
            std::string::npos)
      << refusal("  - conv2d: 8");
  EXPECT_NE(refusal("  - relu: 8").find("relu takes no settings"), std::string::npos);
  EXPECT_NE(refusal("  class: Net").find("no class is called 'Net'"), std::string::npos);
  EXPECT_NE(refusal(kModel, "optimizer: {type: adm}").find("adam"), std::string::npos);
  EXPECT_NE(refusal(kModel, "epocs: 3").find("unknown key 'epocs'; did you mean 'epochs'?"),
            std::string::npos);
  EXPECT_NE(refusal(kModel, "metrics: [accurcy]").find("did you mean 'accuracy'?"),
            std::string::npos);
  EXPECT_NE(refusal(kModel, "early_stop: {metric: validation_loss}").find("needs data.validation"),
            std::string::npos);
  EXPECT_NE(refusal(kModel, "loss: mse\nmetrics: accuracy").find("accuracy needs class numbers"),
            std::string::npos);
}

TEST_F(RecipeTest, TakesModelsOfTheProgram) {
  RecipeOptions options;
  options.models["Net"] = [](const Config&, const Dims&) { return std::make_shared<Net>(); };
  const Recipe recipe = make_recipe(Config::parse(text("  class: Net", ""), "r.yaml"), options);
  EXPECT_EQ(recipe.model->parameters().size(), 4U);
}

TEST(Layers, SeeTheShapeThatReachesThem) {
  const Config config = Config::parse(
      "- conv2d: {out: 4, kernel: 3, padding: 1, bias: false}\n- batch_norm2d\n- hard_swish\n"
      "- residual: [{conv2d: {out: 4, padding: 1}}, gelu]\n- max_pool2d: 2\n- avg_pool2d: {kernel: "
      "[1, 2]}\n"
      "- flatten\n- layer_norm\n- linear: 5\n- softmax\n",
      "m.yaml");
  const auto model = make_model(config, DType::f32, {Dim::symbol("batch"), 3, 8, 8});
  model->eval();
  EXPECT_EQ((*model)(Tensor::zeros({2, 3, 8, 8})).shape(), Shape({2, 5}));
}

TEST(Layers, RecurrentOnesGiveAllStatesOrTheLast) {
  const Config config = Config::parse(
      "- lstm: {hidden: 4, layers: 2, bidirectional: true, dropout: 0.1}\n- rnn: 3\n"
      "- gru: {hidden: 5, bidirectional: true, last: true}\n- linear: 2\n",
      "m.yaml");
  const auto model =
      make_model(config, DType::f32, {Dim::symbol("batch"), Dim::symbol("steps"), 6});
  EXPECT_EQ((*model)(Tensor::zeros({2, 7, 6})).shape(), Shape({2, 2}));
}

// The framing as TensorFlow documents it, read back.
TEST(TensorBoard, FramesItsRecords) {
  const TempDirectory folder;
  EventWriter writer(folder.path());
  writer.scalar("loss", 300, 0.5);
  writer.flush();
  const std::string bytes = read_file(writer.path());
  size_t at = 0;
  std::vector<std::string> events;
  while (at < bytes.size()) {
    uint64_t length = 0;
    uint32_t crc = 0;
    std::memcpy(&length, bytes.data() + at, 8);
    std::memcpy(&crc, bytes.data() + at + 8, 4);
    EXPECT_EQ(crc, mask_crc32c(crc32c(std::string_view(bytes).substr(at, 8))));
    events.push_back(bytes.substr(at + 12, length));
    std::memcpy(&crc, bytes.data() + at + 12 + length, 4);
    EXPECT_EQ(crc, mask_crc32c(crc32c(std::string_view(events.back()))));
    at += length + 16;
  }
  ASSERT_EQ(events.size(), 2U);
  EXPECT_NE(events[0].find("\x1a\x0d"
                           "brain.Event:2"),
            std::string::npos);
  // step 300; summary of 13 bytes: value of 11: tag "loss", simple_value 0.5
  EXPECT_EQ(events[1].substr(9),
            std::string("\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15\0\0\0\x3f", 18));
}

}  // namespace
}  // namespace tenon::train
