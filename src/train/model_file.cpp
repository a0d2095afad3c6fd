#include "train/model_file.h"

#include "base/error.h"
#include "formats/onnx/import.h"
#include "train/recipe.h"

namespace tenon::train {

ModelFile open_model(const std::string& path, const ModelFactories& models,
                     const std::function<graph::Graph(const std::string&)>& read_graph) {
  ModelFile file;
  if (path.ends_with(".onnx") || (read_graph && !path.ends_with(".safetensors"))) {
    file.graph =
        std::make_shared<graph::Graph>(read_graph ? read_graph(path) : formats::import_onnx(path));
    file.predict = predictor(*file.graph);
    return file;
  }
  TENON_CHECK(path.ends_with(".safetensors"), usage,
              "{}: this is no model file by its name; give a checkpoint (.safetensors) or an ONNX "
              "model (.onnx)",
              path);
  file.checkpoint = load_checkpoint(path);
  file.module = with_context([&] { return fmt::format("while loading {}", path); },
                             [&] { return load_model(*file.checkpoint, models); });
  file.predict = predictor(*file.module);
  return file;
}

Config recipe_config(const ModelFile& model, const std::string& path, const std::string& recipe) {
  if (!recipe.empty()) return Config::load(recipe);
  TENON_CHECK(model.checkpoint && !model.checkpoint->info.recipe.empty(), usage,
              "{}: holds no recipe, so there is no data to evaluate it on; give one with --recipe",
              path);
  return Config::parse(model.checkpoint->info.recipe, "the recipe of " + path);
}

}  // namespace tenon::train
