#include "cli/calibration.h"

#include <algorithm>
#include <optional>

#include "base/cancellation.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/model_inputs.h"
#include "cli/model_outputs.h"
#include "cli/model_session.h"
#include "data/decorators.h"
#include "train/recipe.h"

namespace tenon::cli {

namespace {

constexpr int64_t kSamples = 100;
constexpr int64_t kBatch = 256;  // of measuring accuracy

// Items that an input takes at once: its first axis where that is fixed, else 1.
int64_t items_at_once(const TensorType& type) {
  if (!type.ranked || type.dims.empty() || !type.dims[0].is_const()) return 1;
  return std::max<int64_t>(1, type.dims[0].value());
}

// Of `all` things the first of `count` that lie evenly among them; from there on `length` are used.
int64_t spread(int64_t index, int64_t count, int64_t all) { return index * all / count; }

// -- Files ---------------------------------------------------------------------------------------

// How an array holds the samples of an input.
struct Stack {
  Tensor all;
  int64_t rows = 1;             // of the first axis, that a sample takes; 0: one, without the axis
  std::optional<int64_t> size;  // samples; nothing: the whole array is every sample

  Tensor sample(int64_t index) const {
    if (!size) return all;
    if (rows == 0) return all.select(0, index).contiguous();
    return all.slice(0, index * rows, (index + 1) * rows).contiguous();
  }
};

Stack stack_of(const graph::Value& input, Tensor all) {
  const TensorType& type = input.type;
  TENON_CHECK(all.dtype() == type.dtype, usage,
              "samples of input {}: the file holds {}, and the model takes {}; convert it",
              input.name, name(all.dtype()), name(type.dtype));
  const size_t rank = type.ranked ? type.dims.size() : all.rank();
  if (rank == 0 && all.rank() == 0) return {std::move(all), 1, std::nullopt};
  TENON_CHECK(all.rank() == rank || all.rank() == rank + 1, usage,
              "samples of input {}: the file's shape is {}, and the model takes {}; put samples "
              "along its first axis",
              input.name, all.shape().str(), type.str());
  const int64_t length = all.size(0);
  if (all.rank() > rank) return {std::move(all), 0, length};
  const int64_t rows = items_at_once(type);
  TENON_CHECK(length >= rows, usage,
              "samples of input {}: the file has {}, and the model takes {} at once; give more",
              input.name, length, rows);
  return {std::move(all), rows, length / rows};
}

Calibration from_arrays(const graph::Graph& graph, TensorList arrays, const std::string& where,
                        int64_t limit) {
  std::vector<Stack> stacks;
  std::optional<int64_t> size;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const graph::Value& input = graph.value(graph.inputs[i]);
    stacks.push_back(stack_of(input, std::move(arrays[i])));
    const std::optional<int64_t> here = stacks.back().size;
    if (!here) continue;
    TENON_CHECK(!size || *size == *here, usage,
                "samples of input {}: there are {}, and {} of the inputs before it; give as many "
                "of each",
                input.name, *here, *size);
    size = here;
  }
  const int64_t all = size.value_or(1), count = std::min(limit, all);
  TENON_CHECK(count > 0, usage, "{}: holds no samples; give files that do", where);
  Calibration made;
  made.source =
      fmt::format("{} of {}", text::plural(static_cast<uint64_t>(count), "sample"), where);
  made.samples = {
      static_cast<size_t>(count), [stacks = std::move(stacks), count, all](size_t index) {
        check_interrupted("calibrate");
        TensorList inputs;
        for (const Stack& stack : stacks)
          inputs.push_back(stack.sample(spread(static_cast<int64_t>(index), count, all)));
        return inputs;
      }};
  return made;
}

TensorList read_folder(const graph::Graph& graph, const std::string& folder) {
  std::vector<std::string> given;
  for (const graph::ValueId id : graph.inputs) {
    const std::string& name = graph.value(id).name;
    const std::string path = folder + (folder.ends_with('/') ? "" : "/") + file_stem(name) + ".npy";
    TENON_CHECK(exists(path), usage,
                "--calibrate {}: the folder has no {}.npy, which input {} would be read from; the "
                "names of files are those of inputs",
                folder, file_stem(name), name);
    given.push_back(name + "=" + path);
  }
  return read_inputs(graph, given);
}

Calibration from_random(const graph::Graph& graph, const std::string& text) {
  const std::string number = text.substr(text.find(':') + 1);
  const int64_t count = text::check_int(number, "--calibrate random:N", 1, 1'000'000);
  Calibration made;
  made.source = text::plural(static_cast<uint64_t>(count), "random sample");
  made.samples = {static_cast<size_t>(count), [&graph](size_t index) {
                    check_interrupted("calibrate");
                    return random_inputs(graph, {}, index + 1);
                  }};
  return made;
}

// -- Recipes -------------------------------------------------------------------------------------

std::string choose_split(const Config& data, std::initializer_list<const char*> order) {
  for (const char* split : order)
    if (data.has(split)) return split;
  data.fail("the recipe has no data to calibrate on; add data.train, validation or test");
}

Calibration from_recipe(const graph::Graph& graph, const QuantizeFlags& flags) {
  const std::string& path = flags.calibrate;
  TENON_CHECK(graph.inputs.size() == 1 && !graph.outputs.empty(), usage,
              "--calibrate {}: a recipe's data feeds one input, and {} has {}; give a folder of "
              "NAME.npy files",
              path, graph.name, graph.inputs.size());
  const int64_t rows = items_at_once(graph.value(graph.inputs[0]).type);
  const int64_t limit = flags.samples.value_or(kSamples);
  const Config config = Config::load(path), data = config.at("data");
  const std::string from = choose_split(data, {"train", "validation", "test"});
  train::RecipeData items = train::load_recipe_data(config, from);
  const int64_t all = items.split.items->size() / rows;
  TENON_CHECK(all > 0, data,
              "--calibrate {}: data.{} has {}, and the model takes {} at once; give more", path,
              from, text::plural(static_cast<uint64_t>(items.split.items->size()), "item"), rows);
  const int64_t count = std::min(limit, all);
  Calibration made;
  made.source = fmt::format("{} of {} ({})",
                            text::plural(static_cast<uint64_t>(count * rows), "item"), path, from);
  made.samples = {static_cast<size_t>(count),
                  [source = items.split.items, field = items.input, rows, count, all](size_t i) {
                    check_interrupted("calibrate");
                    std::vector<int64_t> indices;
                    const int64_t first = spread(static_cast<int64_t>(i), count, all) * rows;
                    for (int64_t row = 0; row < rows; ++row) indices.push_back(first + row);
                    return TensorList{source->read_batch(indices)[field].contiguous()};
                  }};
  made.split =
      flags.split.empty() ? choose_split(data, {"validation", "test", "train"}) : flags.split;
  train::RecipeData measured = train::load_recipe_data(config, made.split);
  // A model of a fixed batch sees whole ones only.
  const bool fixed = graph.value(graph.inputs[0]).type.ranked &&
                     !graph.value(graph.inputs[0]).type.dims.empty() &&
                     graph.value(graph.inputs[0]).type.dims[0].is_const();
  data::SourcePtr source = measured.split.items;
  if (fixed) source = data::slice(source, 0, source->size() / rows * rows);
  made.evaluate = [source, batch = fixed ? rows : kBatch, measured](const graph::Graph& model) {
    return train::evaluate(engine_predictor(model), source,
                           {.input = measured.input,
                            .target = measured.target,
                            .batch = batch,
                            .loss = measured.loss,
                            .classification = measured.classification,
                            .title = "accuracy"});
  };
  return made;
}

}  // namespace

Calibration load_calibration(const graph::Graph& graph, const QuantizeFlags& flags) {
  const int64_t limit = flags.samples.value_or(kSamples);
  if (!flags.inputs.empty())
    return from_arrays(graph, read_inputs(graph, flags.inputs), "--input", limit);
  if (flags.calibrate.empty()) return {};
  if (flags.calibrate.starts_with("random:")) return from_random(graph, flags.calibrate);
  if (flags.calibrate.ends_with(".yaml") || flags.calibrate.ends_with(".yml"))
    return from_recipe(graph, flags);
  TENON_CHECK(flags.calibrate != "random", usage,
              "--calibrate random: ranges of made-up inputs say little of real ones; calibrate on "
              "real data, or say random:N if you mean it");
  TENON_CHECK(is_directory(flags.calibrate), usage,
              "--calibrate {}: is neither a recipe (.yaml) nor a folder of .npy files; give one, "
              "or random:N",
              flags.calibrate);
  return from_arrays(graph, read_folder(graph, flags.calibrate), flags.calibrate, limit);
}

}  // namespace tenon::cli
