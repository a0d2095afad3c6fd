// tenon inspect: what a model file holds.
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/table.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/catalog.h"
#include "cli/model_inputs.h"
#include "cli/model_session.h"
#include "cli/verb.h"
#include "engine/engine_file.h"
#include "formats/safetensors.h"
#include "graph/drawing.h"
#include "tensor/npy.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kExamples =
    "  tenon inspect model.onnx --dim batch=8\n"
    "  tenon inspect checkpoint.safetensors --json\n"
    "  tenon inspect model.onnx --graph\n"
    "  tenon inspect model.onnx --graph model.svg\n"
    "  tenon inspect model.onnx --memory --dim batch=8\n";

struct Options {
  std::string path;
  std::vector<std::string> sizes;
  std::string drawing;  // path
  bool graph = false, memory = false;
  SessionFlags session;
};

Json ports(const graph::Graph& graph, const std::vector<graph::ValueId>& ids) {
  Json list = Json::array();
  for (graph::ValueId id : ids) {
    const graph::Value& value = graph.value(id);
    Json shape = Json::array();
    for (const Dim& dim : value.type.dims) {
      if (dim.is_const())
        shape.push_back(dim.value());
      else
        shape.push_back(dim.str());
    }
    list.push_back({{"name", value.name},
                    {"dtype", name(value.type.dtype)},
                    {"shape", value.type.ranked ? shape : Json()}});
  }
  return list;
}

struct Work {
  Dim::Bindings sizes;
  std::vector<std::pair<std::string, double>> flops;
};
// Symbols that are not given are 1, or, in models that need more than that (windows over a signal),
// the least power of two that will do.
Work count_flops(const graph::Graph& graph, const Dim::Bindings& given) {
  constexpr int64_t kMost = 1 << 20;
  for (int64_t assumed = 1;; assumed *= 2) {
    Dim::Bindings sizes = given;
    for (graph::ValueId id : graph.inputs)
      for (const Dim& dim : graph.value(id).type.dims)
        for (const std::string& symbol : dim.symbols()) sizes.emplace(symbol, assumed);
    try {
      return {sizes, graph.flops(sizes)};
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::usage || sizes.size() == given.size() || assumed >= kMost)
        throw;
    }
  }
}

// What the engine takes to run the model, beside what it must take.
int inspect_memory(const Options& options, const Globals& globals) {
  const engine::Session session = load_session(options.path, session_options(options.session));
  const TensorList inputs = random_inputs(inputs_of(session), parse_sizes(options.sizes), 1);
  const engine::MemoryInfo memory = session.memory(inputs);
  const double ratio = memory.live_bytes > 0 ? static_cast<double>(memory.arena_bytes) /
                                                   static_cast<double>(memory.live_bytes)
                                             : 1;
  if (globals.json) {
    print_json({{"file", options.path},
                {"batch", batch_of(inputs)},
                {"arena_bytes", memory.arena_bytes},
                {"live_bytes", memory.live_bytes},
                {"ratio", ratio},
                {"constant_bytes", memory.constant_bytes},
                {"packed_bytes", memory.packed_bytes}});
    return 0;
  }
  const auto bytes = [](int64_t count) { return text::human_bytes(static_cast<uint64_t>(count)); };
  std::vector<std::string> shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape().str());
  Table table({"", "planned", "at least"});
  for (const size_t column : {1, 2}) table.align(column, terminal::Align::right);
  table.row({"values of one run", bytes(memory.arena_bytes), bytes(memory.live_bytes)});
  table.row({"weights", bytes(memory.constant_bytes), ""});
  table.row({"weights as kernels want them", bytes(memory.packed_bytes), ""});
  std::printf("%s\nwith inputs %s: %.2f times the largest set of values that live at once\n",
              table.str().c_str(), text::join(shapes, ", ").c_str(), ratio);
  return 0;
}

int inspect_model(const Options& options, const Globals& globals) {
  if (options.memory) return inspect_memory(options, globals);
  const graph::Graph graph = load_graph(options.path, true);
  const char* format = engine::is_engine_file(options.path) ? "tenon" : "onnx";
  if (!options.drawing.empty()) {
    write_file(options.drawing, graph::draw_svg(graph));
    if (globals.json)
      print_json({{"file", options.path},
                  {"format", format},
                  {"name", graph.name},
                  {"drawing", options.drawing}});
    else
      std::printf("%s: %s\n", options.drawing.c_str(),
                  text::plural(graph.nodes().size(), "node").c_str());
    return 0;
  }
  if (options.graph) {
    if (globals.json) {
      print_json({{"file", options.path},
                  {"format", format},
                  {"name", graph.name},
                  {"graph", graph.str()}});
      return 0;
    }
    std::printf("%s", graph.str().c_str());
    return 0;
  }
  const Dim::Bindings given = parse_sizes(options.sizes);
  check_sizes(graph, given);
  const auto [sizes, flops] = count_flops(graph, given);
  double total = 0;
  for (const auto& [op, count] : flops) total += count;
  std::map<std::string, int64_t> nodes;
  for (const graph::Node& node : graph.nodes()) ++nodes[std::string(node.op->name)];

  if (globals.json) {
    Json by_operator = Json::array();
    for (const auto& [op, count] : flops)
      by_operator.push_back({{"op", op}, {"nodes", nodes[op]}, {"flops", count}});
    print_json({{"file", options.path},
                {"format", format},
                {"name", graph.name},
                {"inputs", ports(graph, graph.inputs)},
                {"outputs", ports(graph, graph.outputs)},
                {"nodes", graph.nodes().size()},
                {"parameters", graph.parameter_count()},
                {"flops", total},
                {"operators", by_operator}});
    return 0;
  }
  Table table({"", "name", "type"});
  for (graph::ValueId id : graph.inputs)
    table.row({"input", graph.value(id).name, graph.value(id).type.str()});
  for (graph::ValueId id : graph.outputs)
    table.row({"output", graph.value(id).name, graph.value(id).type.str()});
  std::printf("%s\n", table.str().c_str());
  Table work({"operator", "nodes", "MFLOP", "share"});
  for (size_t column = 1; column < 4; ++column) work.align(column, terminal::Align::right);
  for (const auto& [op, count] : flops)
    work.row({op, std::to_string(nodes[op]), fmt::format("{:.3f}", count * 1e-6),
              fmt::format("{:.1f} %", total > 0 ? 100 * count / total : 0)});
  std::printf("%s\n%zu nodes, %ld parameters, %.3f MFLOP", work.str().c_str(), graph.nodes().size(),
              static_cast<long>(graph.parameter_count()), total * 1e-6);
  std::vector<std::string> assumed;
  for (const auto& [symbol, size] : sizes) assumed.push_back(fmt::format("{}={}", symbol, size));
  std::printf(
      "%s\n",
      assumed.empty()
          ? ""
          : (" with " + text::join(assumed, ", ") + " (--dim NAME=SIZE for another)").c_str());
  return 0;
}

int inspect_safetensors(const Options& options, const Globals& globals) {
  const formats::SafetensorsFile file(options.path);
  int64_t elements = 0;
  Json list = Json::array();
  Table table({"tensor", "type", "shape"});
  for (const auto& entry : file.entries()) {
    elements += entry.shape.numel();
    list.push_back(
        {{"name", entry.name}, {"dtype", name(entry.dtype)}, {"shape", entry.shape.vector()}});
    table.row({entry.name, std::string(name(entry.dtype)), entry.shape.str()});
  }
  if (globals.json) {
    print_json({{"file", options.path},
                {"format", "safetensors"},
                {"tensors", list},
                {"elements", elements},
                {"metadata", file.metadata()}});
  } else {
    std::printf("%s\n%zu tensors, %ld elements\n", table.str().c_str(), file.entries().size(),
                static_cast<long>(elements));
    for (const auto& [key, value] : file.metadata())
      std::printf("%s: %s\n", key.c_str(), value.substr(0, 200).c_str());
  }
  return 0;
}

int inspect_npy(const Options& options, const Globals& globals) {
  const Tensor tensor = npy::read_file(options.path);
  if (globals.json)
    print_json({{"file", options.path},
                {"format", "npy"},
                {"dtype", name(tensor.dtype())},
                {"shape", tensor.shape().vector()}});
  else
    std::printf("%s\n", tensor.str().c_str());
  return 0;
}

Run define(Arguments& arguments, const Globals& globals) {
  auto options = std::make_shared<Options>();
  arguments.option("file", options->path, "A .onnx, .tenon, .safetensors or .npy file");
  arguments.option(
      "--dim", options->sizes,
      "NAME=SIZE of a symbolic axis, for the operation counts (else 1, or what the model needs)");
  const Argument graph = arguments
                             .option("--graph", options->drawing,
                                     "Print the graph as text, or draw it to this .svg file")
                             .value_optional();
  arguments.flag("--memory", options->memory,
                 "What the engine plans to take, beside the least that any plan can");
  add_session_flags(arguments, options->session);
  return [options, graph, &globals] {
    options->graph = graph.given();
    // In `--graph model.onnx` the parser cannot tell that the file is not what to write.
    if (options->path.empty() && !options->drawing.ends_with(".svg"))
      options->path.swap(options->drawing);
    TENON_CHECK(!options->path.empty(), usage,
                "inspect: file is required; see `tenon inspect --help`");
    TENON_CHECK(options->drawing.empty() || options->drawing.ends_with(".svg"), usage,
                "--graph {}: drawings are SVG; give a name that ends in .svg", options->drawing);
    if (options->path.ends_with(".safetensors")) return inspect_safetensors(*options, globals);
    if (options->path.ends_with(".npy")) return inspect_npy(*options, globals);
    return inspect_model(*options, globals);
  };
}

}  // namespace

constinit const Verb inspect{"inspect", Stage::ship,
                             "Show a model's inputs, outputs, operators, parameters and FLOPs.",
                             kExamples, define};

}  // namespace tenon::cli
