// tenon optimize: a model through the passes, written as ONNX.
#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/table.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/catalog.h"
#include "cli/model_inputs.h"
#include "cli/tensor_difference.h"
#include "cli/verb.h"
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
    "  tenon optimize model.onnx --dump-after fuse_conv\n";

struct Options {
  std::string model, output, graph, dump_after;
  std::vector<std::string> without, only, sizes;
  std::optional<int> opset;
  bool timings = false, verify = false, all_passes = false;
};

struct Facts {
  size_t nodes = 0;
  int64_t parameters = 0;
  std::map<std::string, int64_t> operators;
};

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

// The largest difference, relative to its output, between what two graphs make of random inputs.
Difference worst_difference(const graph::Graph& original, const graph::Graph& optimized) {
  const NoGrad no_grad;
  // Where f16 is rounded is not what is to be compared.
  const graph::Graph before = graph::widen_halves(original), after = graph::widen_halves(optimized);
  const TensorList inputs = random_inputs(before, {}, 1);
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

bool is_random(const graph::Graph& graph) {
  return std::ranges::any_of(graph.nodes(),
                             [](const graph::Node& node) { return node.op->random; });
}

int optimize_model(const Options& options, const Globals& globals) {
  const graph::Graph before =
      formats::import_onnx(options.model, {.sizes = parse_sizes(options.sizes)});
  graph::Graph after = before;
  const std::vector<graph::PassResult> results = run_pipeline(after, options, globals);
  if (!options.output.empty()) {
    formats::ExportOptions how;
    how.opset = options.opset.value_or(formats::kMaxExportOpset);
    formats::export_onnx(after, options.output, how);
  }
  if (!options.graph.empty()) write_file(options.graph, graph::draw_svg(after));
  std::optional<Difference> difference;
  if (options.verify && !is_random(before))
    difference = worst_difference(
        before, options.output.empty() ? after : formats::import_onnx(options.output));
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
    if (difference)
      json["verified"] = {{"max_abs", difference->max_abs},
                          {"relative", difference->relative},
                          {"within", difference->within}};
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
  std::printf("%zu nodes before, %zu after\n", was.nodes, is.nodes);
  if (!options.output.empty())
    std::printf("%s: %s\n", options.output.c_str(),
                text::human_bytes(file_size(options.output)).c_str());
  if (difference)
    std::printf("verified on random inputs: largest difference %.3g of its output, %s\n",
                difference->relative, good ? "agrees" : "does NOT agree");
  else if (options.verify)
    std::printf("verified in types; it draws random numbers, so results are not compared\n");
  return good ? 0 : 1;
}

Run define(Arguments& arguments, const Globals& globals) {
  auto options = std::make_shared<Options>();
  arguments.option("model", options->model, "An ONNX file").required();
  arguments.option("-o,--output", options->output,
                   "The ONNX file to write; without it, only the report is made");
  arguments.option("--opset", options->opset, "ONNX opset of the output, 13 to 21 (21)");
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
  return [options, &globals] { return optimize_model(*options, globals); };
}

}  // namespace

constinit const Verb optimize{"optimize", Stage::ship,
                              "Run the graph passes over a model and write it as ONNX.", kExamples,
                              define};

}  // namespace tenon::cli
