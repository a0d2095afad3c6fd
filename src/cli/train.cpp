// tenon train: a recipe from data to a checkpoint.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/cancellation.h"
#include "cli/arguments.h"
#include "cli/catalog.h"
#include "cli/overrides.h"
#include "cli/verb.h"
#include "train/run.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kExamples =
    "  tenon train examples/fashion_mnist/recipe.yaml\n"
    "  tenon train recipe.yaml --set optimizer.lr=0.01 --set epochs=3 --output runs/try\n"
    "  tenon train recipe.yaml --output runs/try --resume\n";

struct Options {
  train::TrainOptions train;
  std::vector<std::string> overrides;
  bool no_report = false;
};

int run_training(Options& options, const Globals& globals) {
  options.train.options.set = parse_overrides(options.overrides);
  options.train.report = !options.no_report;
  const InterruptHandler handler;  // the first Ctrl-C writes a checkpoint
  const train::TrainResult result = train::train_recipe(options.train);
  if (globals.json) {
    print_json(train::to_json(result));
    return 0;
  }
  if (result.up_to_date)
    std::printf("nothing to do: recipe, program and data are those of the finished run\n");
  std::printf("checkpoint  %s\n", result.checkpoint.c_str());
  if (!result.report.empty()) std::printf("report      %s\n", result.report.c_str());
  std::printf("trained     %ld epochs in %.1f s, %ld parameters\n",
              static_cast<long>(result.epochs), result.train_seconds,
              static_cast<long>(result.parameters));
  if (result.test) std::printf("%s", train::describe(*result.test).c_str());
  return 0;
}

Run define(Arguments& arguments, const Globals& globals) {
  auto options = std::make_shared<Options>();
  arguments.option("recipe", options->train.recipe, "A YAML recipe (docs/train.md)").required();
  arguments.option("--output", options->train.output, "Folder for checkpoints, history and report");
  arguments.flag("--resume", options->train.resume,
                 "Go on from the last checkpoint of the output folder");
  arguments.flag("--if-changed", options->train.if_changed,
                 "Do nothing when the finished run there is up to date");
  arguments.option("--set", options->overrides, "KEY=VALUE of the recipe, as in optimizer.lr=0.01");
  arguments.flag("--no-report", options->no_report, "Write no report.html");
  return [options, &globals] { return run_training(*options, globals); };
}

}  // namespace

constinit const Verb train{"train", Stage::train, "Train a model from a recipe.", kExamples,
                           define};

}  // namespace tenon::cli
