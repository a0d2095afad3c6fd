// tenon optimize: a model through the passes, or in another precision, written as ONNX or for the
// engine.
#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "base/cancellation.h"
#include "base/file.h"
#include "base/log.h"
#include "base/table.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/catalog.h"
#include "cli/model_inputs.h"
#include "cli/model_session.h"
#include "cli/precision_choice.h"
#include "cli/quantization_report.h"
#include "cli/tensor_difference.h"
#include "cli/verb.h"
#include "engine/engine_file.h"
#include "formats/onnx/export.h"
#include "formats/onnx/import.h"
#include "graph/drawing.h"
#include "graph/interpreter.h"
#include "graph/pass.h"
#include "graph/passes/catalog.h"
#include "graph/widen.h"
#include "runtime/dispatch.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kExamples =
    "  tenon optimize model.onnx -o optimized.onnx --verify\n"
    "  tenon optimize model.onnx -o fixed.onnx --dim batch=1 --graph optimized.svg\n"
    "  tenon optimize model.onnx --only fold_constants,simplify --timings\n"
    "  tenon optimize model.onnx --dump-after fuse_conv\n"
    "  tenon optimize model.onnx -o model.int8.onnx --precision int8 --calibrate recipe.yaml\n"
    "  tenon optimize model.onnx -o model.int8.onnx --precision int8 --calibrate recipe.yaml "
    "--max-accuracy-drop 0.5%\n"
    "  tenon optimize model.onnx -o model.tenon --precision int8 --calibrate recipe.yaml\n"
    "  tenon optimize bert.onnx -o bert.int8.onnx --precision int8 --dynamic\n"
    "  tenon optimize gpt.onnx -o gpt.int4.onnx --precision int4 --weights-only\n"
    "  tenon optimize model.onnx -o model.bf16.onnx --precision bf16\n"
    "  tenon optimize model.onnx -o model.tenon --precision auto --calibrate recipe.yaml\n";

struct Options {
  std::string model, output, graph, dump_after;
  std::vector<std::string> without, only, sizes;
  std::optional<int> opset;
  bool timings = false, verify = false, all_passes = false;
  QuantizeFlags quantize;
};

struct Facts {
  size_t nodes = 0;
  int64_t parameters = 0;
  std::map<std::string, int64_t> operators;
};

bool is_for_engine(const Options& options) { return options.output.ends_with(".tenon"); }

void check_output(const std::string& path) {
  const bool known = path.empty() || path.ends_with(".onnx") || path.ends_with(".tenon");
  TENON_CHECK(
      known, usage,
      "--output {}: the ending says what is written; use .onnx for a model that any runtime "
      "takes, or .tenon for an engine file",
      path);
}

graph::Graph import_model(const Options& options) {
  const Dim::Bindings sizes = parse_sizes(options.sizes);
  if (!sizes.empty()) check_sizes(formats::import_onnx(options.model), sizes);
  return formats::import_onnx(options.model, {.sizes = sizes});
}

Facts facts_of(const graph::Graph& graph) {
  Facts facts{.nodes = graph.nodes().size(), .parameters = graph.parameter_count()};
  for (const graph::Node& node : graph.nodes()) ++facts.operators[std::string(node.op->name)];
  return facts;
}

Json to_json(const Facts& facts) {
  return {{"nodes", facts.nodes}, {"parameters", facts.parameters}, {"operators", facts.operators}};
}

void check_dump_after(const std::string& name) {
  if (name.empty() || name == "all") return;
  std::vector<std::string_view> known{"all"};
  for (const Pass* pass : passes::all()) known.push_back(pass->name);
  if (std::ranges::find(known, name) != known.end()) return;
  const std::string near = text::did_you_mean(name, known);
  fail(ErrorKind::usage, "--dump-after {}: there is no such pass; {}", name,
       near.empty() ? fmt::format("use one of {}", text::join(known, ", "))
                    : fmt::format("did you mean '{}'?", near));
}

std::vector<graph::PassResult> run_pipeline(graph::Graph& graph, const Options& options,
                                            const Globals& globals) {
  check_dump_after(options.dump_after);
  graph::PassOptions passes{.without = options.without,
                            .only = options.only,
                            .portable = !options.all_passes,
                            .verify = options.verify};
  if (!options.dump_after.empty())
    passes.after = [&](const Pass& pass, const graph::Graph& now) {
      if (options.dump_after != "all" && options.dump_after != pass.name) return;
      std::FILE* to = globals.json ? stderr : stdout;
      std::fprintf(to, "-- after %s\n%s\n", std::string(pass.name).c_str(), now.str().c_str());
    };
  return graph::run_passes(graph, passes);
}

// The largest difference, relative to its output, between what two graphs make of inputs.
Difference worst_difference(const graph::Graph& before, const graph::Graph& after,
                            const TensorList& inputs) {
  const NoGrad no_grad;
  const TensorList expected = graph::Interpreter(before).run(inputs);
  const TensorList got = graph::Interpreter(after).run(inputs);
  Difference worst;
  for (size_t i = 0; i < expected.size(); ++i) {
    const Difference one = difference_of(got[i], expected[i], {});
    if (!one.within || one.relative > worst.relative) worst = one;
    if (!one.within) break;
  }
  return worst;
}

// On random inputs.
Difference worst_difference(const graph::Graph& original, const graph::Graph& optimized) {
  // Where f16 is rounded is not what is to be compared.
  const graph::Graph before = graph::widen_halves(original), after = graph::widen_halves(optimized);
  return worst_difference(before, after, random_inputs(before, {}, 1));
}

bool is_random(const graph::Graph& graph) {
  return std::ranges::any_of(graph.nodes(),
                             [](const graph::Node& node) { return node.op->random; });
}

// The first that has bf16 in all operators that have 16-bit floats, for graphs that need it.
int usual_opset(const graph::Graph& graph) {
  const bool any = std::ranges::any_of(
      graph.values(), [](const graph::Value& value) { return value.type.dtype == DType::bf16; });
  return any ? 22 : 21;
}

// An engine file holds what plans for inputs `like` these measured and packed.
graph::Graph write_engine(const graph::Graph& graph, const TensorList& like,
                          const Options& options) {
  engine::SessionOptions how;
  how.passes.without = options.without;
  how.passes.only = options.only;
  const engine::Session session(graph, how);
  session.prepare(like);
  check_interrupted("optimize");
  engine::save_engine(session, options.output, {.precision = options.quantize.precision});
  return session.graph();
}

// Returns the graph that the file holds.
graph::Graph write_model(const graph::Graph& graph, const TensorList& like,
                         const Options& options) {
  if (!options.graph.empty()) write_file(options.graph, graph::draw_svg(graph));
  if (is_for_engine(options)) return write_engine(graph, like, options);
  if (!options.output.empty()) {
    formats::ExportOptions how;
    how.opset = options.opset.value_or(usual_opset(graph));
    formats::export_onnx(graph, options.output, how);
  }
  return graph;
}

void print_written(const Facts& was, const Facts& is, const Options& options) {
  std::printf("%zu nodes before, %zu after\n", was.nodes, is.nodes);
  if (!options.output.empty())
    std::printf("%s: %s\n", options.output.c_str(),
                text::human_bytes(file_size(options.output)).c_str());
}

Json to_json(const Difference& difference) {
  return {{"max_abs", difference.max_abs},
          {"relative", difference.relative},
          {"within", difference.within}};
}

int optimize_model(const Options& options, const Globals& globals) {
  const InterruptHandler handler;
  const graph::Graph before = import_model(options);
  graph::Graph after = before;
  const std::vector<graph::PassResult> results = run_pipeline(after, options, globals);
  check_interrupted("optimize");
  // A file for the engine is made by all of its passes, which begin with the model.
  const bool for_engine = is_for_engine(options);
  write_model(for_engine ? graph::widen_halves(before) : after,
              for_engine ? random_inputs(before, {}, 1) : TensorList{}, options);
  std::optional<Difference> difference;
  if (options.verify && !is_random(before))
    difference =
        worst_difference(before, options.output.empty() ? after : load_graph(options.output, true));
  const bool good = !difference || difference->within;

  const Facts was = facts_of(before), is = facts_of(after);
  if (globals.json) {
    Json passes = Json::array();
    for (const graph::PassResult& result : results)
      passes.push_back(
          {{"pass", result.pass->name}, {"changes", result.changes}, {"ms", result.seconds * 1e3}});
    Json json = {{"model", options.model},
                 {"output", options.output},
                 {"before", to_json(was)},
                 {"after", to_json(is)},
                 {"passes", passes}};
    if (difference) json["verified"] = to_json(*difference);
    print_json(json);
    return good ? 0 : 1;
  }
  Table table(options.timings ? std::vector<std::string>{"pass", "changes", "ms"}
                              : std::vector<std::string>{"pass", "changes"});
  table.align(1, terminal::Align::right);
  if (options.timings) table.align(2, terminal::Align::right);
  for (const graph::PassResult& result : results)
    if (options.timings)
      table.row({std::string(result.pass->name), std::to_string(result.changes),
                 fmt::format("{:.2f}", result.seconds * 1e3)});
    else if (result.changes > 0)
      table.row({std::string(result.pass->name), std::to_string(result.changes)});
  if (table.rows() > 0) std::printf("%s\n", table.str().c_str());
  print_written(was, is, options);
  if (difference)
    std::printf("verified on random inputs: largest difference %.3g of its output, %s\n",
                difference->relative, good ? "agrees" : "does NOT agree");
  else if (options.verify)
    std::printf("verified in types; it draws random numbers, so results are not compared\n");
  return good ? 0 : 1;
}

void check_pass_options(const Options& options) {
  const auto refuse = [&](bool given, const char* option) {
    TENON_CHECK(!given, usage,
                "{}: is about the passes, and with --precision {} only those run that it needs; "
                "optimise the result in a second step, or leave it out",
                option, options.quantize.precision);
  };
  refuse(!options.without.empty(), "--without");
  refuse(!options.only.empty(), "--only");
  refuse(options.all_passes, "--all-passes");
  refuse(options.timings, "--timings");
  refuse(!options.dump_after.empty(), "--dump-after");
}

int quantize_file(const Options& options, const Globals& globals) {
  const QuantizeFlags& flags = options.quantize;
  check_pass_options(options);
  const InterruptHandler handler;
  // Half floats of the file are computed in f32, and then quantised.
  const graph::Graph before = graph::widen_halves(import_model(options));
  const Calibration calibration = load_calibration(before, flags);
  const QuantizedModel model = quantize_model(before, flags, calibration);
  const TensorList like =
      calibration.samples.size > 0 ? calibration.samples.get(0) : random_inputs(before, {}, 1);
  const graph::Graph written = write_model(model.quantized, like, options);
  if (!flags.html.empty()) write_file(flags.html, sensitivity_page(model, flags));
  std::optional<Difference> difference;
  if (options.verify) model.quantized.verify();
  if (options.verify && !options.output.empty() && !is_random(before))
    difference = worst_difference(written, load_graph(options.output, true), like);
  const bool good = !difference || difference->within;
  const Quality quality = measure_quality(model, calibration);
  const Facts was = facts_of(before), is = facts_of(model.quantized);
  if (globals.json) {
    Json json = {{"model", options.model},
                 {"output", options.output},
                 {"before", to_json(was)},
                 {"after", to_json(is)},
                 {"quantization", quantization_json(model, quality, flags, calibration)}};
    if (difference) json["verified"] = to_json(*difference);
    print_json(json);
  } else {
    std::printf("%s\n", quantization_text(model, quality, flags, calibration).c_str());
    print_written(was, is, options);
    if (difference)
      std::printf("verified on a sample: the file %s\n",
                  good ? "holds what was made" : "does NOT hold what was made");
  }
  if (model.layers.empty()) {
    std::fprintf(stderr,
                 "tenon: no layer can be quantised within --max-accuracy-drop %s; the result is in "
                 "fp32\n",
                 flags.max_drop.c_str());
    return 1;
  }
  if (const std::string slow = slowness(quality, flags); !slow.empty()) log_warning("{}", slow);
  return good ? 0 : 1;
}

int choose_file(const Options& given, const Globals& globals) {
  check_pass_options(given);
  const InterruptHandler handler;
  const graph::Graph before =
      graph::widen_halves(formats::import_onnx(given.model, {.sizes = parse_sizes(given.sizes)}));
  const Calibration calibration = load_calibration(before, given.quantize);
  const PrecisionChoice choice = choose_precision(before, given.quantize, calibration);
  Options options = given;
  options.quantize.precision = choice.precision();
  const TensorList like =
      calibration.samples.size > 0 ? calibration.samples.get(0) : random_inputs(before, {}, 1);
  graph::Graph model = before;
  if (choice.best().model)
    model = choice.best().model->quantized;
  else if (!is_for_engine(options))
    graph::run_passes(model, {.portable = true});
  const graph::Graph written = write_model(model, like, options);
  std::optional<Difference> difference;
  if (options.verify) model.verify();
  if (options.verify && !options.output.empty() && !is_random(before))
    difference = worst_difference(written, load_graph(options.output, true), like);
  const bool good = !difference || difference->within;
  const Facts was = facts_of(before), is = facts_of(model);
  if (globals.json) {
    Json json = {{"model", options.model},
                 {"output", options.output},
                 {"before", to_json(was)},
                 {"after", to_json(is)},
                 {"choice", choice_json(choice)}};
    if (difference) json["verified"] = to_json(*difference);
    print_json(json);
    return good ? 0 : 1;
  }
  std::printf("%s\n", choice_text(choice).c_str());
  print_written(was, is, options);
  if (difference)
    std::printf("verified on a sample: the file %s\n",
                good ? "holds what was made" : "does NOT hold what was made");
  return good ? 0 : 1;
}

Run define(Arguments& arguments, const Globals& globals) {
  auto options = std::make_shared<Options>();
  arguments.option("model", options->model, "An ONNX file").required();
  arguments.option("-o,--output", options->output,
                   "The file to write: ONNX, or MODEL.tenon for Tenon's engine, with what was "
                   "measured and packed for this machine; without it, only the report is made");
  arguments.option("--opset", options->opset,
                   "ONNX opset of the output, 13 to 22 (21; 22 of a model in bf16)");
  arguments.option("--without", options->without, "PASS,...: leave these passes out").with_commas();
  arguments.option("--only", options->only, "PASS,...: run no others").with_commas();
  arguments.flag(
      "--all-passes", options->all_passes,
      "Also those that make operators of Tenon's own, which are written out in simpler ones "
      "where a file is written");
  arguments.option("--dim", options->sizes, "NAME=SIZE: fix a symbolic axis").one_at_a_time();
  arguments.option("--dump-after", options->dump_after,
                   "Print the graph after this pass, or after all that change something");
  arguments.flag("--timings", options->timings, "List all passes, with the time each takes");
  arguments.flag("--verify", options->verify,
                 "Check the graph after each pass, and the result on random inputs");
  arguments.option("--graph", options->graph, "Draw the result as SVG to this file");
  add_quantize_flags(arguments, options->quantize);
  add_measure_flags(arguments, options->quantize);
  return [options, &globals] {
    check_quantize_flags(options->quantize);
    check_output(options->output);
    switch (options->quantize.form()) {
      case QuantizeForm::none: return optimize_model(*options, globals);
      case QuantizeForm::automatic: return choose_file(*options, globals);
      default: return quantize_file(*options, globals);
    }
  };
}

}  // namespace

constinit const Verb optimize{"optimize", Stage::ship,
                              "Run the graph passes over a model, or change its precision, and "
                              "write it.",
                              kExamples, define};

}  // namespace tenon::cli
