// Writes a graph, and the graphs inside it, as GraphProto.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "graph/graph.h"

namespace onnx {
class GraphProto;
class TensorProto;
class ValueInfoProto;
}  // namespace onnx

namespace tenon::formats {

// Receives the contents of a constant that need not lie in the model; false: write it inline.
using PlaceTensor = std::function<bool(const Tensor&, ::onnx::TensorProto&)>;

class GraphWriter {
 public:
  // For the operators of `opset`, which the graph must have been prepared for (expand_for_opset).
  // `own`, for Tenon alone: nodes say where they come from, and what can be inferred is left out.
  GraphWriter(const graph::Graph& graph, int opset, PlaceTensor place = {}, bool own = false);

  void write(::onnx::GraphProto& proto);
  // Domains other than ONNX's own that the written nodes come from, and the versions they need.
  const std::map<std::string, int>& domains() const { return *domains_; }

 private:
  using Names = std::unordered_set<std::string>;

  // The last inputs of a subgraph are values of the graph around, by their names there.
  GraphWriter(const graph::Graph& graph, const GraphWriter& outer,
              const std::vector<std::string>& captures);

  void add_value(graph::ValueId id, ::onnx::ValueInfoProto& proto) const;
  void add_node(graph::NodeId id, ::onnx::GraphProto& proto);
  std::string input_name(const graph::Node& node, const Tensor& tensor, size_t i);
  const std::string& name_of(graph::ValueId id) const { return names_[static_cast<size_t>(id)]; }
  std::string unique_name(std::string wanted);
  std::string node_name(const graph::Node& node, graph::NodeId id);

  const graph::Graph& graph_;
  const int opset_;
  PlaceTensor place_;
  const bool own_;
  const TensorList tensors_;
  size_t captured_ = 0;
  std::vector<std::string> names_;  // by value
  // Shared with the graphs around and inside: a name means one thing in a whole model.
  std::shared_ptr<Names> taken_, taken_nodes_;
  std::shared_ptr<std::map<std::string, int>> domains_;
  std::unordered_set<graph::ValueId> written_;
  std::vector<std::pair<std::string, Tensor>> constants_;  // in the order of their first readers
};

}  // namespace tenon::formats
