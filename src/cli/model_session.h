// Models as verbs run them: imported, optimised, planned.
#pragma once

#include <string>
#include <vector>

#include "engine/session.h"
#include "train/evaluate.h"

namespace tenon::cli {

class Arguments;

// What several verbs can be told about it.
struct SessionFlags {
  bool no_optimize = false;
  std::vector<std::string> without, only;  // passes
  std::string tune;                        // "": as the verb likes, else quick
};
void add_session_flags(Arguments& arguments, SessionFlags& flags);
engine::SessionOptions session_options(const SessionFlags& flags);

// An ONNX file, or an engine file, as a graph. Unless `keep_halves`, 16-bit floats of ONNX files are
// computed in f32 and rounded at the end.
graph::Graph load_graph(const std::string& path, bool keep_halves = false);
// As train::EvaluateFileOptions takes it.
graph::Graph load_any_graph(const std::string& path);
engine::Session load_session(const std::string& path, const engine::SessionOptions& options,
                             bool keep_halves = false);

// A graph of its inputs alone: for model_inputs.h, and without what Session::graph() costs.
graph::Graph inputs_of(const engine::Session& session);

// A graph of one input and one output, run by the engine.
train::Predict engine_predictor(const graph::Graph& graph);

}  // namespace tenon::cli
