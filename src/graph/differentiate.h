// The gradient of a graph, as a graph.
#pragma once

#include "graph/graph.h"

namespace tenon::graph {

// A graph with the inputs of `graph`, then one input a parameter (in value order, under its name),
// and the outputs of `graph`, then d(output `loss`)/d(parameter), one a parameter, named
// "grad(<parameter>)". Output `loss` must have one element. Fails (unsupported) when something
// between has no gradient.
Graph differentiate(const Graph& graph, size_t loss = 0);

}  // namespace tenon::graph
