// The inputs of a model as the command line gives them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "tensor/tensor.h"

namespace tenon::cli {

// "name=path.npy" pairs, or one bare path for a model of one input. Fails (usage) on unknown names
// ("did you mean") and names the inputs that are missing, with their types.
TensorList read_inputs(const graph::Graph& graph, const std::vector<std::string>& given);
// Fails (usage) where a size is of a symbol that no value of the graph has, with the nearest.
void check_sizes(const graph::Graph& graph, const Dim::Bindings& sizes);
// Random inputs of the graph's types; symbols take their size from `sizes` and 1 otherwise, as do
// axes without a name; the first axis of an input that has none is `unnamed_batch`. Integers are 0
// and 1, bytes up to 127.
TensorList random_inputs(const graph::Graph& graph, const Dim::Bindings& sizes, uint64_t seed,
                         int64_t unnamed_batch = 1);
// The same with so many items: the first axis of the first input. Fails (usage) where that is fixed
// at another size.
TensorList random_batch(const graph::Graph& graph, Dim::Bindings sizes, int64_t batch,
                        uint64_t seed);
// Items in them: the first axis of the first input, 1 where it has none.
int64_t batch_of(const TensorList& inputs);
// As --input, --random and --dim say; random ones from seed 1 where nothing is said. Fails (usage)
// where they exclude each other.
TensorList given_inputs(const graph::Graph& graph, const std::vector<std::string>& files,
                        std::optional<uint64_t> seed, const std::vector<std::string>& sizes);
// "batch=8" pairs.
Dim::Bindings parse_sizes(const std::vector<std::string>& pairs);

}  // namespace tenon::cli
