// The graphs inside control flow, run by sessions of their own.
#pragma once

#include "engine/session.h"

namespace tenon::engine {

// The graph with every graph that an attribute holds (branches of If, bodies of Loop and Scan) run
// by a session with these options instead of node by node. Made of a copy; the given graph is not
// changed.
graph::Graph compile_bodies(const graph::Graph& graph, const SessionOptions& options);

// Whether some attribute holds a graph that compile_bodies would compile.
bool has_bodies(const graph::Graph& graph);

}  // namespace tenon::engine
