// How good a model is on a source: loss, accuracy, confusion matrix, and what it said of each item.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "base/json.h"
#include "data/source.h"
#include "graph/graph.h"
#include "nn/module.h"

namespace tenon::train {

// A batch of inputs to a batch of outputs.
using Predict = std::function<Tensor(const Tensor& batch)>;
// One number (rank 0) from a batch of outputs and its targets: the mean over the batch.
using Loss = std::function<Tensor(const Tensor& output, const Tensor& target)>;

// Both keep a reference. The module runs in eval mode, without recording.
Predict predictor(nn::Module& model);
// A graph of one input and one output, such as an imported ONNX model.
Predict predictor(const graph::Graph& graph);

struct EvaluateOptions {
  std::string input = "image";
  std::string target = "label";
  int64_t batch = 256;
  int workers = 1;
  Loss loss = {};              // none: no loss is measured
  bool classification = true;  // outputs are [batch, classes] scores, targets are class numbers
  std::string title = {};      // of the progress bar; none is drawn without
  Cancellation cancellation = Cancellation(true);
};

struct Prediction {
  int64_t truth = 0;
  int64_t predicted = 0;
  float confidence = 0;  // softmax of the scores
};

struct Evaluation {
  int64_t items = 0;
  std::optional<double> loss, accuracy;
  double seconds = 0;
  std::vector<std::string> classes;             // names, where the source knows them
  std::vector<std::vector<int64_t>> confusion;  // [truth][predicted]
  std::vector<Prediction> predictions;          // in the order of the source
};

Evaluation evaluate(const Predict& predict, const data::SourcePtr& source,
                    const EvaluateOptions& options = {});
Evaluation evaluate(nn::Module& model, const data::SourcePtr& source,
                    const EvaluateOptions& options = {});

// How many of the items both give the same answer to, as a share.
double agreement(const Evaluation& a, const Evaluation& b);

// Without the predictions of single items.
Json to_json(const Evaluation& evaluation);
// For a terminal: accuracy, loss, and the confusion matrix with the names of the classes.
std::string describe(const Evaluation& evaluation);

// How many rows of `output` [batch, classes] have their greatest score at the label.
int64_t count_correct(const Tensor& output, const Tensor& labels);

}  // namespace tenon::train
