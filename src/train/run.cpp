// tenon train and tenon eval.
#include "train/run.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "train/fingerprint.h"
#include "train/model_file.h"
#include "train/report.h"
#include "train/tensorboard.h"

namespace tenon::train {

namespace {

// Keeps history.json up to date.
class HistoryFile final : public Callback {
 public:
  explicit HistoryFile(std::string path) : path_(std::move(path)) {}
  void on_epoch_end(const EpochRecord&, const FitState& state) override {
    write_json(path_, to_json(state.history));
  }
  void on_end(const FitState& state) override { seconds = state.train_seconds; }
  double seconds = 0;

 private:
  std::string path_;
};

// What an earlier run left, when it was of this fingerprint and is complete.
std::optional<TrainResult> finished_run(const std::string& output, const std::string& print) {
  const std::string path = output + "/result.json";
  if (!exists(path)) return {};
  try {
    const Json json = read_json(path);
    if (json.value("fingerprint", "") != print) return {};
    TrainResult result;
    result.output = output;
    result.checkpoint = json.at("checkpoint");
    result.report = json.at("report");
    result.up_to_date = true;
    result.epochs = json.at("epochs");
    result.parameters = json.at("parameters");
    result.train_seconds = json.at("train_seconds");
    result.history = history_of(json.at("history"), path);
    if (json.contains("test")) {
      Evaluation& test = result.test.emplace();
      const Json& from = json["test"];
      test.items = from.at("items");
      test.seconds = from.at("seconds");
      if (from.contains("loss")) test.loss = from["loss"].get<double>();
      if (from.contains("accuracy")) test.accuracy = from["accuracy"].get<double>();
      if (from.contains("classes")) test.classes = from["classes"].get<std::vector<std::string>>();
      if (from.contains("confusion"))
        test.confusion = from["confusion"].get<std::vector<std::vector<int64_t>>>();
    }
    if (!exists(result.checkpoint) || (!result.report.empty() && !exists(result.report))) return {};
    return result;
  } catch (const Json::exception&) {
    return {};  // written by another version: train again
  } catch (const Error&) {
    return {};
  }
}

// A new run in a folder of an old one: its files would be mixed up with ours.
void remove_old_run(const std::string& output) {
  if (!is_directory(output)) return;
  for (const DirectoryEntry& entry : list_directory(output)) {
    const std::string& name = entry.name;
    if (name.starts_with("events.out.tfevents.") || name == "best.safetensors" ||
        name == "last.safetensors" || name == "history.json" || name == "result.json" ||
        name == "report.html" || (name.starts_with("epoch-") && name.ends_with(".safetensors")))
      remove_file(output + "/" + name);
  }
}

int64_t count_parameters(const nn::Module& model) {
  int64_t count = 0;
  for (const Tensor& tensor : model.parameters()) count += tensor.numel();
  return count;
}

}  // namespace

TrainResult train_recipe(const TrainOptions& options) {
  Config config = Config::load(options.recipe);
  for (const auto& [path, value] : options.options.set) config.set(path, value);
  // Looked up in a copy, so that what the recipe asks for is counted once.
  const std::string print = fingerprint(config);
  Recipe recipe;
  TrainResult result;
  const auto choose_output = [&](const std::string& named, const std::string& name) {
    return !options.output.empty() ? options.output : !named.empty() ? named : "runs/" + name;
  };
  if (options.if_changed) {
    const Config copy = Config::parse(config.dump(), config.file());
    const std::string path = config.file();
    const size_t slash = path.rfind('/');
    const std::string file = slash == std::string::npos ? path : path.substr(slash + 1);
    result.output = choose_output(copy.get<std::string>("output", ""),
                                  copy.get<std::string>("name", file.substr(0, file.rfind('.'))));
    if (std::optional<TrainResult> done = finished_run(result.output, print))
      return *std::move(done);
  }
  recipe = make_recipe(std::move(config), {.models = options.options.models});
  result.output = choose_output(recipe.output, recipe.name);
  const std::string last = result.output + "/last.safetensors",
                    best = result.output + "/best.safetensors";

  std::optional<Checkpoint> from;
  if (options.resume) {
    TENON_CHECK(exists(last), usage, "train: there is no {} to resume from; start without --resume",
                last);
    from = load_checkpoint(last);
    recipe.fit.resume = &*from;
  } else {
    remove_old_run(result.output);
  }
  create_directories(result.output);
  write_file(result.output + "/recipe.yaml", recipe.text);
  recipe.fit.checkpoint.folder = result.output;
  const auto history = std::make_shared<HistoryFile>(result.output + "/history.json");
  recipe.fit.callbacks = options.callbacks;
  recipe.fit.callbacks.push_back(history);
  recipe.fit.callbacks.push_back(tensorboard(result.output));

  data::Loader loader(recipe.train.items, recipe.loader);
  result.history = fit(*recipe.model, recipe.loss, *recipe.optimizer, loader, recipe.fit);
  result.train_seconds = history->seconds;
  result.epochs = static_cast<int64_t>(result.history.size());
  result.parameters = count_parameters(*recipe.model);
  result.checkpoint =
      recipe.fit.validation && recipe.fit.checkpoint.best && exists(best) ? best : last;
  if (result.checkpoint == best) recipe.model->load_state(load_checkpoint(best).model);
  if (recipe.test.items)
    result.test = evaluate(*recipe.model, recipe.test.items,
                           {.input = recipe.info.input,
                            .target = recipe.info.target,
                            .batch = recipe.fit.validation_batch,
                            .loss = recipe.loss,
                            .classification = recipe.fit.classification,
                            .title = recipe.fit.progress ? "test" : ""});
  if (options.report) {
    result.report = result.output + "/report.html";
    write_report(result.report, recipe, result);
  }
  Json json = to_json(result);
  json["fingerprint"] = print;
  write_json(result.output + "/result.json", json);
  return result;
}

Json to_json(const TrainResult& result) {
  Json json = {{"output", result.output},
               {"checkpoint", result.checkpoint},
               {"report", result.report},
               {"up_to_date", result.up_to_date},
               {"epochs", result.epochs},
               {"parameters", result.parameters},
               {"train_seconds", result.train_seconds},
               {"history", to_json(result.history)}};
  if (result.test) json["test"] = to_json(*result.test);
  return json;
}

Evaluation evaluate_file(const EvaluateFileOptions& options) {
  const ModelFile model = open_model(options.model, options.options.models, options.read_graph);
  const Config config = recipe_config(model, options.model, options.recipe);
  const RecipeData data = load_recipe_data(config, options.split, options.options);
  const Predict predict =
      model.graph && options.run_graph ? options.run_graph(*model.graph) : model.predict;
  return evaluate(predict, data.split.items,
                  {.input = data.input,
                   .target = data.target,
                   .batch = options.batch,
                   .loss = data.loss,
                   .classification = data.classification,
                   .title = options.split});
}

}  // namespace tenon::train
