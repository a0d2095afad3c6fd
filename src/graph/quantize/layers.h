// Which nodes become operators of integers, and which values are quantised for that.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace tenon::graph {

enum class LayerPart : uint8_t {
  none,      // computes in floats
  weighted,  // Conv, Gemm, MatMul with constant weights
  compute,   // has an integer form: Add, pooling
  bound,     // a Relu or Clip behind one of those: part of its quantisation
  moves,     // hands quantised elements on
};

struct LayerPlan {
  std::vector<LayerPart> parts;  // by node
  // By value: whether it is quantised and dequantised again; whether that is for all its readers,
  // or for weighted and compute nodes alone.
  std::vector<bool> quantized, for_all;
  // By value: whose range it has: its own, or that of the value whose elements it holds.
  std::vector<ValueId> range_of;

  LayerPart part(NodeId id) const { return parts[static_cast<size_t>(id)]; }
  bool is_quantized(ValueId id) const { return quantized[static_cast<size_t>(id)]; }
};

// `wanted` says of each candidate whether it is to be quantised.
LayerPlan plan_layers(const Graph& graph, const std::function<bool(const Node&)>& wanted);

// What people call a node: its name, or that of the value that it makes.
std::string layer_name(const Graph& graph, const Node& node);
// Whether it is a Conv, Gemm or MatMul whose weights can be quantised.
bool is_weighted(const Graph& graph, const Node& node);
// The axis of the weights that has a scale for each index: maps or columns.
int64_t weight_axis(const Node& node);

}  // namespace tenon::graph
