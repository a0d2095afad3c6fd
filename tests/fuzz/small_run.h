// One run of a graph that nobody vouches for, within bounds.
#pragma once

#include <optional>

#include "graph/graph.h"

namespace tenon::fuzz {

// Inputs drawn from a seed, every symbol of their shapes 2; nothing for graphs that are not small
// enough to run: what infer tells of their sizes, operations and loops is past a bound, or an input
// is of no known rank.
std::optional<TensorList> small_inputs(const graph::Graph& graph, uint64_t seed);

// Infers, verifies and runs. An Error of any kind but bug is a good answer; that one, and any other
// exception but bad_alloc, leaves this function.
void run_small(const graph::Graph& graph, const TensorList& inputs);

}  // namespace tenon::fuzz
