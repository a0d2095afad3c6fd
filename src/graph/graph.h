// The graph IR: operators of the one catalogue over named, typed values, in an order in which they
// can be run.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "ops/infer.h"
#include "ops/op.h"

namespace tenon::graph {

using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;  // an absent optional input or output
using NodeId = int32_t;

struct Value {
  std::string name;
  TensorType type;         // type.constant holds the contents of constants
  NodeId producer = -1;    // -1: an input or a constant
  bool parameter = false;  // a constant that training changes

  bool is_constant() const { return producer < 0 && type.constant.defined(); }
};

struct Node {
  std::string name;
  const OpDef* op = nullptr;
  Attrs attrs;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::string origin;  // where it comes from: "node conv1 of resnet.onnx", "module layers.0"
};

class Graph final : public Subgraph {
 public:
  std::string name;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(NodeId id) const { return nodes_[static_cast<size_t>(id)]; }
  const std::vector<Value>& values() const { return values_; }
  const Value& value(ValueId id) const { return values_[static_cast<size_t>(id)]; }
  Value& value(ValueId id) { return values_[static_cast<size_t>(id)]; }
  ValueId find_value(std::string_view value_name) const;  // kNoValue when there is none

  // Another value that has the name gives it up for a made-up one.
  void rename(ValueId id, const std::string& value_name);
  // A name that is taken gets a number behind it; an empty one is made up.
  ValueId add_value(std::string value_name, TensorType type);
  ValueId add_input(std::string value_name, DType type, Dims dims);
  ValueId add_input(std::string value_name, TensorType type);
  ValueId add_constant(std::string value_name, Tensor contents, bool parameter = false);
  // Infers the outputs' types; new values are made for them and named after the node.
  NodeId add_node(const OpDef& op, const Attrs& attrs, std::vector<ValueId> node_inputs,
                  size_t output_count, std::string node_name = {}, std::string origin = {});

  // As an attribute of control flow.
  size_t input_count() const override { return inputs.size(); }
  size_t output_count() const override { return outputs.size(); }
  std::vector<TensorType> infer(std::span<const TensorType> given) const override;
  Run runner() const override;

  int64_t parameter_count() const;  // elements of all constants
  // Operations by operator name, summed over nodes; symbolic sizes take the value in `symbols`.
  std::vector<std::pair<std::string, double>> flops(const Dim::Bindings& symbols) const;

  // Fails (bug) naming the first node that breaks a rule: values defined before use, once, and
  // types that are what infer says.
  void verify() const;
  std::string str() const;

  // Drops nodes and constants that no output depends on, and renumbers.
  void remove_unused();

 private:
  friend class Rewriter;  // graph/rewrite.h

  std::string unique_name(std::string wanted);

  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::unordered_map<std::string, ValueId> names_;
};

}  // namespace tenon::graph
