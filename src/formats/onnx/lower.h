// Between canonical graphs and the operators that an ONNX opset has.
#pragma once

#include <string>

#include "graph/graph.h"
#include "ops/onnx_node.h"

namespace tenon::formats {

// The graph with every operator that `opset` cannot say written out in those it can. Fails
// (unsupported) on operators that have no expansion either.
graph::Graph expand_for_opset(const graph::Graph& graph, int opset);

// "node conv1 (Conv)", for messages.
std::string describe(const graph::Graph& graph, graph::NodeId id);

// A node as `opset` spells it, before and after OnnxForm::lower. Constant inputs are concrete;
// `inputs` gives the others a symbolic tensor each, by value.
OnnxNode spell(const graph::Graph& graph, graph::NodeId id, int opset, const TensorList& inputs);
// One tensor a value: constants their contents, all others symbolic.
TensorList tensors_of_values(const graph::Graph& graph);

}  // namespace tenon::formats
