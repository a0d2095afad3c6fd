#include "train/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/progress.h"
#include "base/terminal.h"
#include "base/text.h"
#include "base/trace.h"
#include "data/loader.h"
#include "graph/interpreter.h"
#include "runtime/dispatch.h"

namespace tenon::train {

namespace {

// Rows of scores as f32, [batch, classes].
Tensor scores_of(const Tensor& output, const Tensor& labels) {
  TENON_CHECK(
      output.rank() == 2 && labels.rank() == 1 && output.size(0) == labels.size(0) &&
          output.size(1) > 0,
      usage,
      "evaluate: outputs are {} for targets {}; classification needs [batch, classes] for [batch]",
      output.shape().str(), labels.shape().str());
  return output.detach().to(DType::f32).contiguous();
}

int64_t best_of(const float* row, int64_t classes) {
  return std::max_element(row, row + classes) - row;
}

float confidence_of(const float* row, int64_t classes, int64_t chosen) {
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(row[c]) - row[chosen]);
  return static_cast<float>(1 / sum);
}

// Puts a module back into training mode when it was in it.
class EvalMode {
 public:
  explicit EvalMode(nn::Module& model) : model_(model), was_training_(model.training()) {
    model_.eval();
  }
  ~EvalMode() { model_.train(was_training_); }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  nn::Module& model_;
  bool was_training_;
};

void note(Evaluation& result, const Tensor& output, const Tensor& labels) {
  const Tensor scores = scores_of(output, labels);
  const std::vector<int64_t> truths = labels.to_vector<int64_t>();
  const int64_t classes = scores.size(1);
  if (result.confusion.empty())
    result.confusion.assign(static_cast<size_t>(classes),
                            std::vector<int64_t>(static_cast<size_t>(classes)));
  const float* row = scores.data<float>();
  for (const int64_t truth : truths) {
    TENON_CHECK(
        truth >= 0 && truth < classes, data,
        "evaluate: label {} is outside the model's {} classes; use the data that it was made for",
        truth, classes);
    const int64_t chosen = best_of(row, classes);
    result.predictions.push_back({truth, chosen, confidence_of(row, classes, chosen)});
    ++result.confusion[static_cast<size_t>(truth)][static_cast<size_t>(chosen)];
    row += classes;
  }
}

}  // namespace

Predict predictor(nn::Module& model) {
  return [&model](const Tensor& batch) {
    const EvalMode mode(model);
    const NoGrad no_grad;
    return model(batch);
  };
}

Predict predictor(const graph::Graph& graph) {
  TENON_CHECK(graph.inputs.size() == 1 && !graph.outputs.empty(), usage,
              "evaluate: the graph has {}; a model of one input is needed",
              text::plural(graph.inputs.size(), "input"));
  return [interpreter = std::make_shared<graph::Interpreter>(graph)](const Tensor& batch) {
    const NoGrad no_grad;
    return interpreter->run({batch})[0];
  };
}

int64_t count_correct(const Tensor& output, const Tensor& labels) {
  const Tensor scores = scores_of(output, labels);
  const int64_t classes = scores.size(1);
  const float* row = scores.data<float>();
  int64_t correct = 0;
  for (const int64_t label : labels.to_vector<int64_t>()) {
    correct += best_of(row, classes) == label ? 1 : 0;
    row += classes;
  }
  return correct;
}

Evaluation evaluate(const Predict& predict, const data::SourcePtr& source,
                    const EvaluateOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  TENON_CHECK(source && source->size() > 0, usage,
              "evaluate: the source has no items; give one that has");
  data::Loader loader(source, {.batch = options.batch, .workers = options.workers});
  Evaluation result;
  if (loader.schema().has(options.target)) result.classes = loader.schema()[options.target].classes;
  std::optional<Progress> progress;
  if (!options.title.empty())
    progress.emplace(options.title, static_cast<uint64_t>(source->size()), "items");
  double loss_sum = 0;
  const NoGrad no_grad;
  while (const std::optional<data::Sample> batch = loader.next()) {
    options.cancellation.check(options.title.empty() ? "evaluate" : options.title);
    TENON_TRACE("train", "evaluate batch");
    const Tensor& target = (*batch)[options.target];
    const Tensor output = predict((*batch)[options.input]);
    const int64_t count = target.size(0);
    if (options.loss)
      loss_sum += options.loss(output, target).item<double>() * static_cast<double>(count);
    if (options.classification) note(result, output, target);
    result.items += count;
    if (progress) progress->advance(static_cast<uint64_t>(count));
  }
  const auto items = static_cast<double>(result.items);
  if (options.loss) result.loss = loss_sum / items;
  if (options.classification) {
    int64_t correct = 0;
    for (size_t c = 0; c < result.confusion.size(); ++c) correct += result.confusion[c][c];
    result.accuracy = static_cast<double>(correct) / items;
    if (result.classes.size() != result.confusion.size()) result.classes.clear();
  }
  if (progress) progress->finish();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

Evaluation evaluate(nn::Module& model, const data::SourcePtr& source,
                    const EvaluateOptions& options) {
  return evaluate(predictor(model), source, options);
}

double agreement(const Evaluation& a, const Evaluation& b) {
  size_t same = 0;
  const size_t count = std::min(a.predictions.size(), b.predictions.size());
  for (size_t i = 0; i < count; ++i)
    same += a.predictions[i].predicted == b.predictions[i].predicted ? 1 : 0;
  return count > 0 ? static_cast<double>(same) / static_cast<double>(count) : 0;
}

Json to_json(const Evaluation& evaluation) {
  Json json = {{"items", evaluation.items}, {"seconds", evaluation.seconds}};
  if (evaluation.loss) json["loss"] = *evaluation.loss;
  if (evaluation.accuracy) {
    json["accuracy"] = *evaluation.accuracy;
    json["confusion"] = evaluation.confusion;
  }
  if (!evaluation.classes.empty()) json["classes"] = evaluation.classes;
  return json;
}

std::string describe(const Evaluation& evaluation) {
  std::string out = text::plural(static_cast<uint64_t>(evaluation.items), "item");
  if (evaluation.accuracy) out += fmt::format(", accuracy {:.2f} %", *evaluation.accuracy * 100);
  if (evaluation.loss) out += fmt::format(", loss {}", text::human_number(*evaluation.loss));
  out += fmt::format(", {}\n", text::human_duration(evaluation.seconds));
  const size_t classes = evaluation.confusion.size();
  if (classes == 0 || classes > 20) return out;
  std::vector<std::string> names = evaluation.classes;
  for (size_t c = names.size(); c < classes; ++c) names.push_back(std::to_string(c));
  size_t wide = 5;
  for (const std::string& name : names) wide = std::max(wide, terminal::display_width(name));
  size_t cell = 3;
  for (const auto& row : evaluation.confusion)
    for (const int64_t count : row) cell = std::max(cell, std::to_string(count).size());
  out += "\n" + terminal::pad("truth", wide) + "  predicted\n" + std::string(wide, ' ');
  for (size_t c = 0; c < classes; ++c) out += fmt::format("  {:>{}}", c, cell);
  out += "   recall\n";
  for (size_t truth = 0; truth < classes; ++truth) {
    out += terminal::pad(names[truth], wide);
    int64_t all = 0;
    for (const int64_t count : evaluation.confusion[truth]) {
      all += count;
      out += count == 0 ? fmt::format("  {:>{}}", ".", cell) : fmt::format("  {:>{}}", count, cell);
    }
    out += all == 0 ? "        -\n"
                    : fmt::format("  {:>5.1f} %\n",
                                  100.0 * static_cast<double>(evaluation.confusion[truth][truth]) /
                                      static_cast<double>(all));
  }
  return out;
}

}  // namespace tenon::train
