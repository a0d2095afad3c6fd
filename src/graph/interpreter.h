// Runs a graph node by node through the same door as eager code: no compilation, any shapes, and
// gradients when recording is on and an input or parameter requires one.
#pragma once

#include <functional>
#include <vector>

#include "graph/graph.h"
#include "tensor/tensor.h"

namespace tenon::graph {

class Interpreter {
 public:
  explicit Interpreter(const Graph& graph);  // kept by reference

  // One tensor an input, in graph order. Checks types and shapes against the graph's first: symbols
  // bind to the first size they meet and must agree after that. Symbolic tensors record the nodes
  // into another graph.
  TensorList run(const TensorList& inputs) const;
  // Stands in for a constant (a parameter being trained) in all following runs.
  void set_constant(ValueId id, Tensor tensor);

  // Called after every node when set.
  std::function<void(NodeId, const TensorList& outputs, double seconds)> on_node;

 private:
  const Graph& graph_;
  std::vector<Tensor> constants_;                // by ValueId
  std::vector<std::vector<ValueId>> last_uses_;  // by node: values that nobody reads after it
};

// Checks the inputs of one run against what a graph declares; `where` begins the messages.
void check_inputs(const Graph& graph, const TensorList& inputs, std::string_view where);

}  // namespace tenon::graph
