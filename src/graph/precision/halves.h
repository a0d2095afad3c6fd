// Graphs of f32, computed in bf16 or f16 where that is safe, with Cast at the borders.
//
//   const graph::InHalves made = graph::to_halves(graph, {.type = DType::bf16});
//
// Products and what hands their results on compute in 16 bits (half_role.h), weights are kept in 16
// bits; the rest stays in f32, and so do inputs and outputs of the graph.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace tenon::graph {

struct HalvesOptions {
  DType type = DType::bf16;  // or f16
  // Operators ("Conv") to compute in 16 bits; empty: all that can be.
  std::vector<std::string> operators = {};
  std::vector<std::string> without_operators = {};
  // Names of nodes, or of the values that they make. Both lists are of products; what follows them
  // stays in f32 where it is named in `without_layers`.
  std::vector<std::string> layers = {};  // when not empty: no others
  std::vector<std::string> without_layers = {};
};

struct InHalves {
  Graph graph;
  std::vector<std::string> layers;  // products in 16 bits, in the order in which they run
};

// Each value is rounded once, and widened once, however many read it; a value that was rounded is
// not widened and rounded again. Numbers of constants beyond the range become its largest. What is
// of other types than f32 already, and the bodies of control flow, stay as they are. Fails (usage)
// on another type than bf16 and f16, and on unknown names of operators.
InHalves to_halves(const Graph& graph, const HalvesOptions& options = {});

}  // namespace tenon::graph
