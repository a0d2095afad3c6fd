// Changing a graph: a pass looks for patterns, adds nodes that compute the same in a better way,
// and replaces values. What nobody reads any more disappears; the order of nodes is restored at the
// end.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace tenon::graph {

class Rewriter {
 public:
  // Keeps the graph by reference; `pass` is noted in the origin of the nodes it adds.
  Rewriter(Graph& graph, std::string_view pass);

  // -- Looking ---------------------------------------------------------------------------------
  const Graph& graph() const { return graph_; }
  // The nodes there were at the beginning, in an order in which they can be run; a copy, so that
  // nodes may be added while walking it.
  std::vector<NodeId> nodes() const;
  // False once nothing reads any output of the node.
  bool alive(NodeId id) const { return alive_[static_cast<size_t>(id)]; }
  const Node& node(NodeId id) const { return graph_.node(id); }
  const TensorType& type(ValueId id) const { return graph_.value(id).type; }
  // The concrete shape, where it is fully known.
  std::optional<Shape> shape(ValueId id) const;
  NodeId producer(ValueId id) const;  // -1: an input, a constant or absent
  // The maker of the value where that is an `op` and the value its first output; else null.
  // Pointers to nodes and types are good until the next add().
  const Node* made_by(ValueId id, const OpDef& op) const;
  // Nodes that read the value (one that reads it twice stands there twice), oldest first.
  std::span<const NodeId> users(ValueId id) const;
  bool is_output(ValueId id) const;
  // Read by one node, once, and no output of the graph: it may be merged into its reader.
  bool used_once(ValueId id) const { return users(id).size() == 1 && !is_output(id); }
  // The contents of a constant that training does not change; null otherwise.
  const Tensor* constant(ValueId id) const;
  // The one element of a constant, whatever its rank and type.
  std::optional<double> scalar(ValueId id) const;
  // The elements of a constant of integers (at most 4096 of them).
  std::optional<std::vector<int64_t>> ints(ValueId id) const;

  // -- Changing --------------------------------------------------------------------------------
  // Nodes added from now on take the place, name and origin of this one.
  void at(NodeId id) { at_ = id; }
  ValueId add(const OpDef& op, std::vector<ValueId> inputs, const Attrs& attrs = {});
  std::vector<ValueId> add_all(const OpDef& op, std::vector<ValueId> inputs, const Attrs& attrs,
                               size_t output_count);
  ValueId constant(Tensor contents, std::string name = {});
  // All readers of `old`, and the graph's outputs, get `by`, which must be of the same type. Facts
  // about the shape that only `old` knew are kept; so is its name, where `by` is computed anew:
  // values of one name mean the same before and after.
  void replace(ValueId old, ValueId by);
  // Says what else is known of a value: a rank, sizes or elements that its type leaves open. True
  // where that is news.
  bool refine(ValueId id, const TensorType& known);
  // Attributes that say the same: of the same results, types and all.
  void set_attrs(NodeId id, const Attrs& attrs);
  // Counts replace(), and refine() that brought news.
  int changes() const { return changes_; }
  // Whether the graph is, or after finish() will be, another than it was.
  bool touched() const { return touched_; }
  // Orders the nodes and drops what is unused. Ids are void after it.
  void finish();

 private:
  void link(NodeId id);  // tells its inputs of a new reader
  void drop(NodeId id);  // and those that are read by nobody else
  bool needed(NodeId id) const;

  Graph& graph_;
  std::string_view pass_;
  NodeId at_ = -1;
  NodeId first_added_;
  int changes_ = 0;
  bool touched_ = false;
  std::vector<std::vector<NodeId>> users_;  // by value
  std::vector<bool> alive_;                 // by node
  std::vector<NodeId> place_;  // by node: the old node it stands for, for a stable order
};

}  // namespace tenon::graph
