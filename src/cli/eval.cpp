// tenon eval: how good a model is on a recipe's data.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/cancellation.h"
#include "base/terminal.h"
#include "cli/arguments.h"
#include "cli/catalog.h"
#include "cli/model_session.h"
#include "cli/overrides.h"
#include "cli/verb.h"
#include "train/run.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kExamples =
    "  tenon eval runs/try/best.safetensors\n"
    "  tenon eval model.onnx --recipe recipe.yaml --split test --show 6\n"
    "  tenon eval model.onnx --recipe recipe.yaml --min-accuracy 0.915\n";

struct Options {
  train::EvaluateFileOptions eval;
  std::vector<std::string> overrides;
  int64_t show = 0;
  double min_accuracy = 0;
};

int evaluate(Options& options, const Globals& globals) {
  options.eval.options.set = parse_overrides(options.overrides);
  options.eval.read_graph = load_any_graph;
  options.eval.run_graph = engine_predictor;
  const InterruptHandler handler;
  const train::Evaluation result = train::evaluate_file(options.eval);
  TENON_CHECK(result.accuracy || options.min_accuracy == 0, usage,
              "eval: --min-accuracy {} needs an accuracy, and the recipe measures only the loss; "
              "leave the option out",
              options.min_accuracy);
  const bool enough = result.accuracy.value_or(1) >= options.min_accuracy;
  if (globals.json) {
    print_json(train::to_json(result));
    return enough ? 0 : 1;
  }
  std::printf("%s", train::describe(result).c_str());
  if (options.show > 0)
    std::printf("\n%s", train::show_predictions({.model = options.eval.model,
                                                 .recipe = options.eval.recipe,
                                                 .options = options.eval.options,
                                                 .read_graph = options.eval.read_graph,
                                                 .count = options.show,
                                                 .columns = terminal::width(terminal::kStdout),
                                                 .color = terminal::colors(terminal::kStdout),
                                                 .unicode = terminal::unicode()})
                            .c_str());
  if (!enough)
    std::fprintf(stderr, "tenon: accuracy %.4f is below --min-accuracy %.4f\n", *result.accuracy,
                 options.min_accuracy);
  return enough ? 0 : 1;
}

Run define(Arguments& arguments, const Globals& globals) {
  auto options = std::make_shared<Options>();
  arguments
      .option("model", options->eval.model,
              "A checkpoint (.safetensors), an ONNX model, or an engine file (.tenon)")
      .required();
  arguments.option("--recipe", options->eval.recipe,
                   "Whose data; else the checkpoint's own recipe");
  arguments.option("--split", options->eval.split, "train, validation or test");
  arguments.option("--batch", options->eval.batch, "Items at once").above_zero();
  arguments.option("--set", options->overrides, "KEY=VALUE of the recipe");
  arguments.option("--show", options->show, "Draw so many items with what the model says they are");
  arguments
      .option("--min-accuracy", options->min_accuracy,
              "Exit with 1 when the accuracy is lower (0 to 1)")
      .within(0, 1);
  return [options, &globals] { return evaluate(*options, globals); };
}

}  // namespace

constinit const Verb eval{"eval", Stage::train,
                          "Measure a model's accuracy and loss on a recipe's data.", kExamples,
                          define};

}  // namespace tenon::cli
