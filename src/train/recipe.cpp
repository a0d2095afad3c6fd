#include "train/recipe.h"

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "base/text.h"
#include "data/decorators.h"
#include "data/recipe.h"
#include "graph/capture.h"
#include "runtime/random.h"

namespace tenon::train {

namespace {

using Transforms = std::vector<data::TransformPtr>;

Split make_split(const Config& data, std::string_view name, const Transforms& transforms,
                 uint64_t seed) {
  const Config config = data.section(name);
  if (!config) return {};
  Split split;
  split.original = data::make_source(config);
  if (split.original->size() == 0)
    config.fail(fmt::format("data.{} has no items; check its files and its slice", name));
  split.items =
      transforms.empty() ? split.original : data::transform(split.original, transforms, seed);
  return split;
}

// Runs `body`; what fails without a place gets that of `at`.
template <class Body>
auto located(const Config& at, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::usage) at.fail(error.message());
    throw;
  }
}

struct LossChoice {
  Loss loss;
  bool classification;
};
LossChoice make_loss(const Config& root) {
  const std::string name = root.get_choice("loss", "cross_entropy", {"cross_entropy", "mse"});
  bool classification = name == "cross_entropy";
  if (const Config metrics = root.section("metrics")) {
    bool accuracy = false;
    for (const Config& item : metrics.items()) {
      const auto metric = item.as<std::string>();
      if (metric != "loss" && metric != "accuracy")
        item.fail(fmt::format("no metric is called '{}'{}", metric,
                              text::suggestion(metric, {"loss", "accuracy"})));
      accuracy |= metric == "accuracy";
    }
    if (accuracy && !classification)
      metrics.fail("accuracy needs class numbers; use it with loss: cross_entropy");
    classification = accuracy;
  }
  return {name == "mse" ? Loss(mse) : Loss(cross_entropy), classification};
}

std::unique_ptr<nn::Optimizer> make_optimizer(const Config& config, const nn::Module& model) {
  const std::string type = config.is_scalar()
                               ? config.as<std::string>()
                               : config.get_choice("type", "adam", {"sgd", "adam", "adamw"});
  const Config at = config.is_map() ? config : Config();
  constexpr double kMaxRate = 1e6;
  return located(config, [&]() -> std::unique_ptr<nn::Optimizer> {
    if (type == "sgd")
      return std::make_unique<nn::SGD>(
          model, nn::SGD::Options{.lr = at.get_in<double>("lr", 0.01, 0, kMaxRate),
                                  .momentum = at.get_in<double>("momentum", 0, 0, 1),
                                  .dampening = at.get_in<double>("dampening", 0, 0, 1),
                                  .weight_decay = at.get_in<double>("weight_decay", 0, 0, kMaxRate),
                                  .nesterov = at.get<bool>("nesterov", false)});
    if (type != "adam" && type != "adamw")
      config.fail(fmt::format("no optimizer is called '{}'{}", type,
                              text::suggestion(type, {"sgd", "adam", "adamw"})));
    const nn::Adam::Options options{
        .lr = at.get_in<double>("lr", 1e-3, 0, kMaxRate),
        .beta1 = at.get_in<double>("beta1", 0.9, 0, 1),
        .beta2 = at.get_in<double>("beta2", 0.999, 0, 1),
        .eps = at.get_in<double>("eps", 1e-8, 0, 1),
        .weight_decay = at.get_in<double>("weight_decay", type == "adamw" ? 0.01 : 0, 0, kMaxRate)};
    if (type == "adam") return std::make_unique<nn::Adam>(model, options);
    return std::make_unique<nn::AdamW>(model, options);
  });
}

std::shared_ptr<const nn::Schedule> make_schedule(const Config& config, int64_t epochs,
                                                  int64_t batches) {
  if (!config) return nullptr;
  const bool bare = config.is_scalar();
  const std::string type =
      bare ? config.as<std::string>()
           : config.get_choice("type", "constant", {"constant", "step", "cosine"});
  const Config at = bare ? Config() : config;
  return located(config, [&]() -> std::shared_ptr<const nn::Schedule> {
    const bool by_step = at.get_choice("by", "epoch", {"epoch", "step"}) == "step";
    const double unit = by_step ? 1 : static_cast<double>(batches);
    const auto steps = [&](double count) {
      return std::max<int64_t>(1, std::llround(count * unit));
    };
    const auto warmup = at.get_in<double>("warmup", 0, 0, 1e9);
    const int64_t warm_steps = warmup > 0 ? steps(warmup) : 0;
    std::shared_ptr<const nn::Schedule> schedule;
    if (type == "constant") {
      schedule = std::make_shared<nn::ConstantSchedule>();
    } else if (type == "step") {
      schedule = std::make_shared<nn::StepSchedule>(steps(at.get_in<double>("every", 1, 1e-9, 1e9)),
                                                    at.get_in<double>("gamma", 0.1, 0, 1));
    } else if (type == "cosine") {
      const int64_t total =
          at.has("total") ? steps(at.get_in<double>("total", 1, 1e-9, 1e9)) : epochs * batches;
      schedule = std::make_shared<nn::CosineSchedule>(std::max<int64_t>(1, total - warm_steps),
                                                      at.get_in<double>("last", 0, 0, 1));
    } else {
      config.fail(fmt::format("no schedule is called '{}'{}", type,
                              text::suggestion(type, {"constant", "step", "cosine"})));
    }
    if (warm_steps > 0)
      schedule = std::make_shared<nn::WarmupSchedule>(warm_steps, std::move(schedule));
    return schedule;
  });
}

struct Augmented {
  Transforms training, others;
};
Augmented make_transforms(const Config& data) {
  Augmented made;
  made.training = data::make_transforms(data.section("augment"));
  made.others = data::make_transforms(data.section("transforms"));
  made.training.insert(made.training.end(), made.others.begin(), made.others.end());
  return made;
}

void fill_info(Recipe& recipe, const Config& data) {
  ModelInfo& info = recipe.info;
  const data::Schema& schema = recipe.train.items->schema();
  std::vector<std::string> names;
  for (const data::Field& field : schema) names.push_back(field.name);
  for (const auto& [key, field] :
       {std::pair<std::string_view, const std::string&>{"input", info.input},
        std::pair<std::string_view, const std::string&>{"target", info.target}})
    if (!schema.has(field))
      (data.has(key) ? data.at(key) : data.at("train"))
          .fail(fmt::format("the data has no field '{}' for data.{}{}", field, key,
                            text::suggestion(field, names)));
  const data::Field& input = schema[info.input];
  if (!input.is_fixed())
    data.at("train").fail(
        fmt::format("items differ in size ({}); add a transform such as resize to data.transforms",
                    input.str()));
  info.input_type = input.type;
  info.input_shape = input.shape;
  info.classes = schema[info.target].classes;
}

Dims with_batch(const Shape& item) {
  Dims dims{Dim::symbol("batch")};
  for (const int64_t size : item) dims.emplace_back(size);
  return dims;
}

Tensor symbolic_output(nn::Module& model, const ModelInfo& info) {
  const auto recorder = graph::Recorder::create("model");
  model.eval();
  Tensor y = model(recorder->input("x", info.input_type, with_batch(info.input_shape)));
  model.train();
  return y;
}

void check_output(Recipe& recipe, const Config& at) {
  const Dims dims = symbolic_output(*recipe.model, recipe.info).dims();
  if (!recipe.fit.classification) return;
  const auto classes = static_cast<int64_t>(recipe.info.classes.size());
  if (dims.size() != 2)
    at.fail(fmt::format(
        "the model's output is {}, and classification needs [batch, classes]; end with flatten and "
        "linear",
        str(dims)));
  if (classes > 0 && dims[1].is_const() && dims[1].value() != classes)
    at.fail(fmt::format("the model has {} outputs for {} classes; end with `- linear: {}`",
                        dims[1].value(), classes, classes));
}

void read_fit(Recipe& recipe, const Config& root) {
  FitOptions& fit = recipe.fit;
  fit.input = recipe.info.input;
  fit.target = recipe.info.target;
  fit.clip_norm = root.get_in<double>("clip_norm", 0, 0, 1e30);
  fit.validation = recipe.validation.items;
  if (const Config stop = root.section("early_stop")) {
    const std::string fallback = !fit.validation      ? "train_loss"
                                 : fit.classification ? "validation_accuracy"
                                                      : "validation_loss";
    fit.patience = stop.get_in<int64_t>("patience", 3, 1, 1'000'000);
    fit.watch =
        stop.get_choice("metric", fallback,
                        {"validation_accuracy", "validation_loss", "train_accuracy", "train_loss"});
    if (fit.watch.starts_with("validation") && !fit.validation)
      stop.fail(
          fmt::format("metric {} needs data.validation; add it, or watch train_loss", fit.watch));
    if (fit.watch.ends_with("accuracy") && !fit.classification)
      stop.fail(fmt::format(
          "metric {} needs accuracy, which this recipe does not measure; watch a loss", fit.watch));
  }
  const Config checkpoint = root.section("checkpoint");
  fit.checkpoint.every_epochs = checkpoint.get_in<int64_t>("every", 1, 0, 1'000'000);
  fit.checkpoint.every_steps = checkpoint.get_in<int64_t>("every_steps", 0, 0, INT64_MAX);
  fit.checkpoint.keep = checkpoint.get_in<int64_t>("keep", 0, 0, 1'000'000);
  fit.checkpoint.best = checkpoint.get<bool>("best", true);
}

Config with_overrides(Config config, const RecipeOptions& options) {
  for (const auto& [path, value] : options.set) config.set(path, value);
  return config;
}

std::string stem_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string file = slash == std::string::npos ? path : path.substr(slash + 1);
  return file.substr(0, file.rfind('.'));
}

}  // namespace

Recipe load_recipe(const std::string& path, const RecipeOptions& options) {
  return make_recipe(Config::load(path), options);
}

Recipe make_recipe(Config config, const RecipeOptions& options) {
  const Config root = with_overrides(std::move(config), options);
  Recipe recipe;
  recipe.text = recipe.info.recipe = root.dump();
  recipe.name = root.get<std::string>("name", stem_of(root.file()));
  recipe.seed = root.get<uint64_t>("seed", 0);
  recipe.output = root.get<std::string>("output", "");
  recipe.fit.epochs = root.get_in<int64_t>("epochs", 10, 1, 1'000'000);

  const Config data = root.at("data");
  const Augmented transforms = make_transforms(data);
  if (!data.has("train"))
    data.fail("data.train is missing; name the source that the model learns from");
  recipe.train = make_split(data, "train", transforms.training, recipe.seed);
  recipe.validation = make_split(data, "validation", transforms.others, recipe.seed);
  recipe.test = make_split(data, "test", transforms.others, recipe.seed);
  recipe.info.input = data.get<std::string>("input", "image");
  recipe.info.target = data.get<std::string>("target", "label");
  fill_info(recipe, data);
  recipe.loader = {.batch = data.get_in<int64_t>("batch", 64, 1, 1'000'000),
                   .shuffle = data.get<bool>("shuffle", true),
                   .seed = recipe.seed,
                   .drop_last = data.get<bool>("drop_last", false),
                   .workers = data.get_in<int>("workers", 1, 0, 256)};
  recipe.fit.validation_batch = data.get_in<int64_t>("eval_batch", 256, 1, 1'000'000);

  const LossChoice loss = make_loss(root);
  recipe.loss = loss.loss;
  recipe.fit.classification = loss.classification;
  manual_seed(recipe.seed);
  recipe.model = make_model(root.at("model"), recipe.info.input_type,
                            with_batch(recipe.info.input_shape), options.models);
  check_output(recipe, root.at("model"));
  recipe.optimizer = make_optimizer(root.section("optimizer"), *recipe.model);
  const int64_t items = recipe.train.items->size();
  const int64_t batch = recipe.loader.batch;
  const int64_t batches = recipe.loader.drop_last ? items / batch : (items + batch - 1) / batch;
  if (batches == 0)
    data.fail(fmt::format("drop_last leaves no batch of {} from {} items; use a smaller batch",
                          batch, items));
  recipe.fit.schedule = make_schedule(root.section("schedule"), recipe.fit.epochs, batches);
  read_fit(recipe, root);
  recipe.fit.info = recipe.info;
  root.finish();
  return recipe;
}

RecipeData load_recipe_data(Config config, std::string_view split, const RecipeOptions& options) {
  const Config root = with_overrides(std::move(config), options);
  const Config data = root.at("data");
  if (!data.has(split))
    data.fail(fmt::format("the recipe has no data.{}; add it, or choose another split", split));
  const LossChoice loss = make_loss(root);
  return {make_split(data, split, make_transforms(data).others, root.get<uint64_t>("seed", 0)),
          loss.loss, loss.classification, data.get<std::string>("input", "image"),
          data.get<std::string>("target", "label")};
}

std::shared_ptr<nn::Module> load_model(const Checkpoint& checkpoint, const ModelFactories& models) {
  const ModelInfo& info = checkpoint.info;
  TENON_CHECK(!info.recipe.empty(), usage,
              "the checkpoint has no recipe, so its model is unknown; load its weights with the "
              "program that made it");
  const Config root = Config::parse(info.recipe, "the checkpoint's recipe");
  const Generator::State random = random_state();
  auto model = make_model(root.at("model"), info.input_type, with_batch(info.input_shape), models);
  set_random_state(
      random);  // initial weights that are overwritten at once must not shift the stream
  model->load_state(checkpoint.model);
  model->eval();
  return model;
}

}  // namespace tenon::train
