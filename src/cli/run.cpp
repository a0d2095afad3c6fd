// tenon run: a model on .npy files.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/cancellation.h"
#include "base/file.h"
#include "base/table.h"
#include "base/trace.h"
#include "cli/arguments.h"
#include "cli/catalog.h"
#include "cli/model_inputs.h"
#include "cli/model_outputs.h"
#include "cli/model_session.h"
#include "cli/precision_choice.h"
#include "cli/verb.h"
#include "graph/interpreter.h"
#include "runtime/dispatch.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kExamples =
    "  tenon run model.onnx --input images=x.npy --output-dir out/\n"
    "  tenon run model.onnx --random 1 --dim batch=8 --json\n"
    "  tenon run model.onnx --random 1 --interpret --explain\n"
    "  tenon run model.onnx --input images=x.npy --precision bf16\n";

// Timing kernels takes longer than fewer runs gain.
constexpr int kRunsWorthTuning = 5;

struct Options {
  std::string model, output_dir;
  std::vector<std::string> inputs, sizes;
  std::optional<uint64_t> random;
  int runs = 1;
  bool keep_halves = false, interpret = false;
  SessionFlags session;
  QuantizeFlags quantize;
};

int run_model(const Options& options, const Globals& globals) {
  check_quantize_flags(options.quantize);
  const InterruptHandler handler;
  const ModelInPrecision model =
      in_precision(load_graph(options.model, options.keep_halves), options.quantize);
  const graph::Graph& graph = model.graph;
  TENON_CHECK(!options.random || options.inputs.empty(), usage,
              "--random and --input exclude each other; give one");
  TENON_CHECK(options.random || options.sizes.empty(), usage,
              "--dim is for random inputs; give --random SEED too");
  const TensorList inputs = options.random
                                ? random_inputs(graph, parse_sizes(options.sizes), *options.random)
                                : read_inputs(graph, options.inputs);
  const NoGrad no_grad;
  std::optional<graph::Interpreter> interpreter;
  std::optional<engine::Session> session;
  if (options.interpret) {
    interpreter.emplace(graph);
  } else {
    SessionFlags flags = options.session;
    if (flags.tune.empty() && options.runs < kRunsWorthTuning) flags.tune = "off";
    session.emplace(graph, session_options(flags));
    session->prepare(inputs);
  }
  TensorList outputs;
  std::vector<double> times;
  for (int i = 0; i < options.runs; ++i) {
    const int64_t begin = trace::now_ns();
    outputs = session ? session->run(inputs) : interpreter->run(inputs);
    times.push_back(static_cast<double>(trace::now_ns() - begin) * 1e-6);
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2),
                   times.end());
  const double milliseconds = times[times.size() / 2];

  if (!options.output_dir.empty()) create_directories(options.output_dir);
  Json list = Json::array();
  Table table({"output", "type", "shape", "file"});
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = graph.value(graph.outputs[i]).name;
    std::string file;
    if (!options.output_dir.empty()) {
      const std::string folder =
          options.output_dir + (options.output_dir.ends_with('/') ? "" : "/");
      file = write_output(folder + file_stem(name), outputs[i]);
    }
    list.push_back({{"name", name},
                    {"file", file},
                    {"dtype", output_type(outputs[i])},
                    {"shape", outputs[i].shape().vector()},
                    {"milliseconds", milliseconds}});
    table.row({name, output_type(outputs[i]), outputs[i].shape().str(), file.empty() ? "-" : file});
  }
  if (globals.json) {
    Json json = {{"model", options.model},
                 {"precision", model.precision},
                 {"milliseconds", milliseconds},
                 {"runs", options.runs},
                 {"outputs", list}};
    if (model.choice) json["choice"] = choice_json(*model.choice);
    print_json(json);
  } else {
    if (model.choice) std::printf("%s\n", choice_text(*model.choice).c_str());
    std::printf("%s%.3f ms%s\n", table.str().c_str(), milliseconds,
                options.runs > 1 ? " (median)" : "");
    if (options.output_dir.empty())
      for (size_t i = 0; i < outputs.size(); ++i)
        std::printf("\n%s = %s\n", graph.value(graph.outputs[i]).name.c_str(),
                    output_text(outputs[i]).c_str());
  }
  return 0;
}

Run define(Arguments& arguments, const Globals& globals) {
  auto options = std::make_shared<Options>();
  arguments.option("model", options->model, "An ONNX file").required();
  arguments.option("--input", options->inputs,
                   "NAME=FILE.npy, once an input; a bare FILE.npy where there is one input");
  arguments.option(
      "--output-dir", options->output_dir,
      "Write each output to <name>.npy here ('/' and ':' become '_'); lists of maps with "
      "their keys in <name>.keys.npy, other containers to <name>.json");
  arguments.option("--random", options->random, "Random inputs from this seed instead of --input");
  arguments.option("--dim", options->sizes, "NAME=SIZE of a symbolic axis for --random (else 1)");
  arguments
      .option("--runs", options->runs,
              "Run so many times and report the median time; for 5 and more, --tune is quick")
      .above_zero();
  arguments.flag("--interpret", options->interpret,
                 "Run node by node, without optimising or planning anything");
  add_quantize_flags(arguments, options->quantize);
  add_session_flags(arguments, options->session);
  arguments.flag("--keep-halves", options->keep_halves,
                 "Round to f16 after every operator as the file says, not only at the end");
  return [options, &globals] { return run_model(*options, globals); };
}

}  // namespace

constinit const Verb run{"run", Stage::ship, "Run a model on .npy files and write its outputs.",
                         kExamples, define};

}  // namespace tenon::cli
