// Recipes: a training run as one YAML file. docs/train.md lists the keys.
//
//   data:
//     train: {type: idx, images: train-images.gz, labels: train-labels.gz}
//     test: {type: idx, images: t10k-images.gz, labels: t10k-labels.gz}
//     transforms: [{type: normalize, mean: 0.286, std: 0.353}]
//     batch: 128
//   model:
//     - conv2d: {out: 32, kernel: 3, padding: 1}
//     - relu
//     - max_pool2d: 2
//     - flatten
//     - linear: 10
//   optimizer: {type: adamw, lr: 0.002}
//   schedule: {type: cosine, warmup: 0.1}
//   epochs: 6
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/yaml.h"
#include "data/loader.h"
#include "nn/module.h"
#include "nn/optimizer.h"
#include "nn/schedule.h"
#include "train/fit.h"
#include "train/layers.h"

namespace tenon::train {

struct RecipeOptions {
  std::vector<std::pair<std::string, std::string>> set = {};  // "optimizer.lr", "0.01"
  ModelFactories models = {};
};

// One split of the data.
struct Split {
  data::SourcePtr items;     // as the model sees them
  data::SourcePtr original;  // before the transforms, for pictures; the same order
};

struct Recipe {
  std::string name;  // of the run
  std::string text;  // YAML, overrides included
  uint64_t seed = 0;
  std::string output;             // folder; "" where the recipe names none
  Split train, validation, test;  // undefined where the recipe has none
  data::LoaderOptions loader;
  ModelInfo info;
  std::shared_ptr<nn::Module> model;
  std::unique_ptr<nn::Optimizer> optimizer;
  Loss loss;
  // epochs, schedule, early stop and checkpoints as the recipe says; validation is set.
  FitOptions fit;
};

// Reads data and makes model (after seeding the process's random numbers), loss and optimiser.
// Fails (data) with file, line, what is wrong and what to write instead; nothing in the recipe goes
// unread.
Recipe load_recipe(const std::string& path, const RecipeOptions& options = {});
Recipe make_recipe(Config config, const RecipeOptions& options = {});

// What evaluation needs: the data of `split` ("train", "validation", "test") and the loss.
struct RecipeData {
  Split split;
  Loss loss;
  bool classification = true;
  std::string input, target;  // fields
};
RecipeData load_recipe_data(Config config, std::string_view split,
                            const RecipeOptions& options = {});

// The model of a checkpoint, with its weights, in eval mode. Fails (usage) when it has no recipe.
std::shared_ptr<nn::Module> load_model(const Checkpoint& checkpoint,
                                       const ModelFactories& models = {});

}  // namespace tenon::train
