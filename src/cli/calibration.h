// What a model is calibrated and measured on: items of a recipe's data, of .npy files, or random
// ones.
#pragma once

#include <functional>
#include <string>

#include "cli/quantize_options.h"
#include "graph/graph.h"
#include "train/evaluate.h"

namespace tenon::cli {

struct Calibration {
  graph::Dataset samples = {};  // of size 0 where nothing is given
  std::string source = {};      // "100 items of recipe.yaml (train)"
  // Of a recipe: how good a graph is, run by the engine on all items of `split`. Else empty.
  std::function<train::Evaluation(const graph::Graph&)> evaluate = {};
  std::string split = {};
};

// A sample is as many items as the model's inputs are fixed at along their first axis, and else
// one. Fails (usage, data) where names, types or sizes do not fit the inputs.
Calibration load_calibration(const graph::Graph& graph, const QuantizeFlags& flags);

}  // namespace tenon::cli
