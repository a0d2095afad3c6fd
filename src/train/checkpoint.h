// Checkpoints: a model, and where its training stands, in one safetensors file. Parameters and
// buffers are "model.<name>", the optimiser's state is "optimizer.<name>"; the rest is metadata:
// "tenon.model", "tenon.state" (JSON) and "tenon.recipe" (YAML).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "data/loader.h"
#include "nn/module.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "train/history.h"

namespace tenon::train {

// What the model is, for those that load it without the program that trained it.
struct ModelInfo {
  std::string recipe = {};  // YAML that describes model and data; empty where there is none
  std::string input = "image";
  std::string target = "label";
  DType input_type = DType::f32;
  Shape input_shape = {};  // of one item
  std::vector<std::string> classes = {};
};

// Where a run stands; all that decides how it goes on, besides model and optimiser.
struct FitState {
  int64_t epoch = 0;  // epochs finished
  int64_t step = 0;   // optimiser steps done
  data::Loader::State loader = {};
  Generator::State random = {};
  // Of the epoch under way.
  double loss_sum = 0;
  int64_t seen = 0, correct = 0;
  double epoch_seconds = 0;
  double train_seconds = 0;  // of the whole run so far, evaluation included
  History history = {};
  // The best value of the watched metric; nothing before the first.
  std::optional<double> best = {};
  int64_t best_epoch = 0;
  bool finished = false;  // all epochs done, or stopped early
};

struct Checkpoint {
  ModelInfo info;
  nn::NamedTensors model;
  nn::NamedTensors optimizer = {};
  std::optional<FitState> state = {};  // nothing in a file that is for inference alone
};

// Appears complete or not at all, so a full disk (resource) leaves the file of that name as it was.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);
// Fails (data) on a file that is no checkpoint.
Checkpoint load_checkpoint(const std::string& path);

}  // namespace tenon::train
