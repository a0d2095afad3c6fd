#include "cli/model_session.h"

#include "base/text.h"
#include "cli/arguments.h"
#include "engine/engine_file.h"
#include "formats/onnx/import.h"
#include "graph/widen.h"

namespace tenon::cli {

namespace {

// By its content, whatever its name; and by its name where the content is damaged, so that the
// reader of engine files says what is wrong.
bool is_for_engine(const std::string& path) {
  return engine::is_engine_file(path) || path.ends_with(".tenon");
}

}  // namespace

void add_session_flags(Arguments& arguments, SessionFlags& flags) {
  arguments.flag("--no-optimize", flags.no_optimize, "Leave the graph as it is in the file");
  arguments.option("--without", flags.without, "PASS,...: leave these passes out").with_commas();
  arguments
      .option("--tune", flags.tune,
              "quick: where several kernels can do a step, time them; off: take the first")
      .choices({"off", "quick"});
}

engine::SessionOptions session_options(const SessionFlags& flags) {
  engine::SessionOptions options;
  options.optimize = !flags.no_optimize;
  options.passes.without = flags.without;
  options.passes.only = flags.only;
  options.tune = flags.tune == "off" ? engine::Tune::off : engine::Tune::quick;
  return options;
}

graph::Graph load_graph(const std::string& path, bool keep_halves) {
  // An engine file says itself what is computed in 16 bits.
  if (is_for_engine(path)) return engine::read_engine(path).graph;
  graph::Graph graph = formats::import_onnx(path);
  return keep_halves ? graph : graph::widen_halves(graph);
}

graph::Graph load_any_graph(const std::string& path) { return load_graph(path, false); }

engine::Session load_session(const std::string& path, const engine::SessionOptions& options,
                             bool keep_halves) {
  if (!keep_halves || is_for_engine(path)) return engine::Session::load(path, options);
  return engine::Session(load_graph(path, keep_halves), options);
}

graph::Graph inputs_of(const engine::Session& session) {
  graph::Graph graph;
  for (const engine::Port& port : session.inputs()) graph.add_input(port.name, port.type);
  return graph;
}

train::Predict engine_predictor(const graph::Graph& graph) {
  TENON_CHECK(graph.inputs.size() == 1 && !graph.outputs.empty(), usage,
              "{}: the model has {}; a model of one input is needed to be evaluated", graph.name,
              text::plural(graph.inputs.size(), "input"));
  return [session = std::make_shared<const engine::Session>(graph)](const Tensor& batch) {
    return session->run({batch})[0];
  };
}

}  // namespace tenon::cli
