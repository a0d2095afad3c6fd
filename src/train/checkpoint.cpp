#include "train/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "formats/safetensors.h"

namespace tenon::train {

namespace {

constexpr std::string_view kModel = "model.";
constexpr std::string_view kOptimizer = "optimizer.";

Json to_json(const ModelInfo& info) {
  return {{"input", info.input},
          {"target", info.target},
          {"input_type", std::string(name(info.input_type))},
          {"input_shape", info.input_shape.vector()},
          {"classes", info.classes}};
}

Json to_json(const FitState& state) {
  Json json = {{"epoch", state.epoch},
               {"step", state.step},
               {"loader", {state.loader.epoch, state.loader.batch}},
               {"random", {state.random.seed, state.random.offset}},
               {"loss_sum", state.loss_sum},
               {"seen", state.seen},
               {"correct", state.correct},
               {"epoch_seconds", state.epoch_seconds},
               {"train_seconds", state.train_seconds},
               {"history", train::to_json(state.history)},
               {"best_epoch", state.best_epoch},
               {"finished", state.finished}};
  if (state.best) json["best"] = *state.best;
  return json;
}

ModelInfo info_of(const Json& json, std::string_view where) {
  const auto shape = json.at("input_shape").get<std::vector<int64_t>>();
  TENON_CHECK(shape.size() < kMaxRank &&
                  std::all_of(shape.begin(), shape.end(), [](int64_t size) { return size >= 0; }),
              data, "{}: the model's input shape {} is none; use another checkpoint", where,
              json.at("input_shape").dump());
  const auto type = json.at("input_type").get<std::string>();
  return {.input = json.at("input"),
          .target = json.at("target"),
          .input_type = with_context([&] { return fmt::format("while reading {}", where); },
                                     [&] { return parse_dtype(type); }),
          .input_shape = shape,
          .classes = json.at("classes").get<std::vector<std::string>>()};
}

FitState state_of(const Json& json, std::string_view where) {
  FitState state;
  state.epoch = json.at("epoch");
  state.step = json.at("step");
  state.loader = {json.at("loader").at(0), json.at("loader").at(1)};
  state.random = {json.at("random").at(0), json.at("random").at(1)};
  state.loss_sum = json.at("loss_sum").is_null() ? NAN : json.at("loss_sum").get<double>();
  state.seen = json.at("seen");
  state.correct = json.at("correct");
  state.epoch_seconds = json.at("epoch_seconds");
  state.train_seconds = json.at("train_seconds");
  state.history = history_of(json.at("history"), where);
  if (json.contains("best") && !json["best"].is_null()) state.best = json["best"].get<double>();
  state.best_epoch = json.at("best_epoch");
  state.finished = json.at("finished");
  return state;
}

}  // namespace

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  formats::NamedTensorList tensors;
  for (const auto& [name, tensor] : checkpoint.model)
    tensors.emplace_back(std::string(kModel) + name, tensor.detach());
  for (const auto& [name, tensor] : checkpoint.optimizer)
    tensors.emplace_back(std::string(kOptimizer) + name, tensor.detach());
  std::map<std::string, std::string> metadata{{"format", "tenon"},
                                              {"tenon.model", to_json(checkpoint.info).dump()}};
  if (!checkpoint.info.recipe.empty()) metadata["tenon.recipe"] = checkpoint.info.recipe;
  if (checkpoint.state) metadata["tenon.state"] = to_json(*checkpoint.state).dump();
  formats::write_safetensors(path, tensors, metadata);
}

Checkpoint load_checkpoint(const std::string& path) {
  const formats::SafetensorsFile file(path);
  const auto& metadata = file.metadata();
  const auto model = metadata.find("tenon.model");
  TENON_CHECK(model != metadata.end(), data,
              "{}: is a safetensors file, but no checkpoint of Tenon (it has no tenon.model); use "
              "a file that "
              "`tenon train` wrote",
              path);
  Checkpoint checkpoint;
  try {
    checkpoint.info = info_of(parse_json(model->second, path + ": tenon.model"), path);
    if (const auto recipe = metadata.find("tenon.recipe"); recipe != metadata.end())
      checkpoint.info.recipe = recipe->second;
    if (const auto state = metadata.find("tenon.state"); state != metadata.end())
      checkpoint.state = state_of(parse_json(state->second, path + ": tenon.state"), path);
  } catch (const Json::exception& error) {
    fail(ErrorKind::data,
         "{}: the description of the model is damaged ({}); use another checkpoint", path,
         error.what());
  }
  for (const formats::SafetensorsEntry& entry : file.entries()) {
    if (entry.name.starts_with(kModel))
      checkpoint.model.emplace_back(entry.name.substr(kModel.size()), file.read(entry.name));
    else if (entry.name.starts_with(kOptimizer))
      checkpoint.optimizer.emplace_back(entry.name.substr(kOptimizer.size()),
                                        file.read(entry.name));
  }
  return checkpoint;
}

}  // namespace tenon::train
