// What the program's verbs do with recipes and model files: train, evaluate, export, show. A model
// file is a checkpoint (.safetensors) or an ONNX model (.onnx), told apart by the ending.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "train/evaluate.h"
#include "train/recipe.h"

namespace tenon::train {

// -- tenon train ---------------------------------------------------------------------------------
struct TrainOptions {
  std::string recipe;          // path
  RecipeOptions options = {};  // --set, model classes
  std::string output = {};     // --output; else the recipe's, else runs/<name>
  bool resume = false;         // --resume: from last.safetensors of the output folder
  bool if_changed = false;  // --if-changed: nothing is done when recipe, program and data are those
                            // of a finished run
  bool report = true;       // report.html (--no-report)
  std::vector<CallbackPtr> callbacks = {};
};
struct TrainResult {
  std::string output;      // folder
  std::string checkpoint;  // best.safetensors where there is one, else last.safetensors
  std::string report;      // "" without
  bool up_to_date = false;
  int64_t epochs = 0;
  int64_t parameters = 0;
  double train_seconds = 0;
  History history;
  std::optional<Evaluation> test;  // of `checkpoint`, where the recipe has test data
};
// Writes last.safetensors, best.safetensors, history.json, events.out.tfevents.*, recipe.yaml,
// result.json and report.html. A run that was stopped fails (cancelled); its message says how to go
// on.
TrainResult train_recipe(const TrainOptions& options);
Json to_json(const TrainResult& result);

using ReadGraph = std::function<graph::Graph(const std::string& path)>;

// -- tenon eval ----------------------------------------------------------------------------------
struct EvaluateFileOptions {
  std::string model;        // path
  std::string recipe = {};  // whose data; "": the checkpoint's own recipe
  RecipeOptions options = {};
  std::string split = "test";
  int64_t batch = 256;
  // How files that are no checkpoints are read; those that end in .onnx as ONNX, and no others,
  // unless given.
  ReadGraph read_graph = {};
  // How such a model is run; node by node unless given.
  std::function<Predict(const graph::Graph&)> run_graph = {};
};
Evaluation evaluate_file(const EvaluateFileOptions& options);

// -- tenon export --------------------------------------------------------------------------------
struct ExportRequest {
  std::string checkpoint;
  std::string output;  // model.onnx
  int opset = 17;
  std::string input_name = "";  // "": the name of the data's field ("image")
  std::string output_name = "logits";
  std::map<int64_t, std::string> dynamic = {{0, "batch"}};  // axes of the input by number
  ModelFactories models = {};
  // Loads the file again and compares it with the checkpoint on so many items of its recipe's test
  // data (random ones where there are none); 0: no check.
  int64_t check_items = 0;
  double tolerance = 1e-4;
};
struct ExportResult {
  std::string output;
  uint64_t bytes = 0;
  int64_t nodes = 0;
  int64_t parameters = 0;
  int opset = 0;
  int64_t checked_items = 0;
  double max_abs_diff = 0;
  bool agrees = true;  // max_abs_diff <= tolerance
};
ExportResult export_checkpoint(const ExportRequest& request);
Json to_json(const ExportResult& result);

// -- tenon eval --show N -------------------------------------------------------------------------
struct ShowOptions {
  std::string model;
  std::string recipe = {};
  RecipeOptions options = {};
  ReadGraph read_graph = {};  // as in EvaluateFileOptions
  int64_t count = 6;
  uint64_t seed = 0;  // which items
  int columns = 80;   // of the terminal
  bool color = true;  // 24-bit colours; else letters of different darkness
  bool unicode = true;
};
// Pictures of the test data side by side, with what the model says they are.
std::string show_predictions(const ShowOptions& options);

}  // namespace tenon::train
