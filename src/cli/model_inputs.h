// The inputs of a model as the command line gives them.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "tensor/tensor.h"

namespace tenon::cli {

// "name=path.npy" pairs, or one bare path for a model of one input. Fails (usage) on unknown names
// ("did you mean") and names the inputs that are missing, with their types.
TensorList read_inputs(const graph::Graph& graph, const std::vector<std::string>& given);
// Random inputs of the graph's types; symbols take their size from `sizes` and 1 otherwise.
TensorList random_inputs(const graph::Graph& graph, const Dim::Bindings& sizes, uint64_t seed);
// "batch=8" pairs.
Dim::Bindings parse_sizes(const std::vector<std::string>& pairs);

}  // namespace tenon::cli
