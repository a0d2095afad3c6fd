// Subgraphs of control flow: what goes into them.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "formats/onnx/scope.h"
#include "graph/graph.h"
#include "ops/onnx_node.h"

namespace tenon::formats {

// What is known of the inputs of a node's subgraph, from those of the node: rank and element type,
// and nothing of sizes, as they may change from one run of it to the next.
std::vector<TensorType> formal_types(std::string_view op_type, const Attrs& attrs,
                                     std::span<const TensorType> inputs);

// True where a subgraph makes a loop-carried value of another rank than it takes.
bool ranks_change(std::string_view op_type, const graph::Graph& body, size_t carried);

struct ImportedSubgraph {
  std::string attribute;
  std::shared_ptr<graph::Graph> graph;
  std::vector<CapturedValue> captures;
};

// Makes all subgraphs of a node take the captures of all of them, in one order, behind their
// `formal` inputs; returns those captures.
std::vector<CapturedValue> share_captures(std::vector<ImportedSubgraph>& subgraphs);

// Scan of opset 8 works on batches: a Scan over the batch, whose body is a Scan.
TensorList scan_of_opset_8(const OnnxNode& node, graph::Recorder& recorder);

}  // namespace tenon::formats
