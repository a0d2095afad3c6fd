// Quantisation that needs no samples: of products whose left side is quantised as it comes, and of
// weights alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace tenon::graph {

struct DynamicOptions {
  bool reduced_range = false;                    // weights of 7 bits
  std::vector<std::string> without_layers = {};  // names of nodes or of the values they make
};

// Each MatMul and Gemm with constant weights becomes DynamicQuantizeLinear, MatMulInteger with i8
// weights (a scale for each column) and the scales' product; what several of them read is quantised
// once. Returns a graph that exports to ONNX.
Graph quantize_dynamic(const Graph& graph, const DynamicOptions& options = {});

struct WeightOnlyOptions {
  int bits = 4;  // or 8
  int64_t block_size =
      32;  // elements along the inner axis that share a scale: a power of two from 16
  bool symmetric = false;  // no zero points
  std::vector<std::string> without_layers = {};
};

// Each MatMul, and Gemm, with constant weights becomes com.microsoft MatMulNBits, which reads an
// eighth or a quarter of the bytes; activations stay floats. Fails (usage) on other bits or blocks.
Graph quantize_weights_only(const Graph& graph, const WeightOnlyOptions& options = {});

}  // namespace tenon::graph
