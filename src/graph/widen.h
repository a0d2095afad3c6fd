// Graphs of 16-bit floats, computed in f32.
#pragma once

#include "graph/graph.h"

namespace tenon::graph {

// The same graph with every value of f16 and bf16 kept in f32 between operators: inputs and
// constants are converted on the way in, outputs rounded once, at the end. More precise than
// rounding after every operator, and what runtimes do on processors without 16-bit arithmetic.
// Inputs and outputs keep their names and types. Operators that look at bits, control flow and
// those that take no f32 get what the file says; returns a plain copy where there is nothing to
// widen.
Graph widen_halves(const Graph& graph);

}  // namespace tenon::graph
