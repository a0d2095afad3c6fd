// A model from a file, whichever format it is in, ready to answer.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/yaml.h"
#include "graph/graph.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/layers.h"

namespace tenon::train {

struct ModelFile {
  std::optional<Checkpoint> checkpoint;  // of a .safetensors file
  std::shared_ptr<nn::Module> module;
  std::shared_ptr<graph::Graph> graph;  // of any other
  Predict predict;                      // refers to the above
};

// A checkpoint by its ending .safetensors, everything else as `read_graph` reads it. Without that,
// fails (usage) on another ending than .safetensors and .onnx.
ModelFile open_model(const std::string& path, const ModelFactories& models = {},
                     const std::function<graph::Graph(const std::string&)>& read_graph = {});

// The recipe in the file `recipe`; where that is "", the model's own. Fails (usage) when it has
// none.
Config recipe_config(const ModelFile& model, const std::string& path, const std::string& recipe);

}  // namespace tenon::train
