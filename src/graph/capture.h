// Recording a function as a graph: it is called once with symbolic tensors, and every operator it
// applies to them becomes a node. Concrete tensors it mixes in (weights) become constants, those
// that require a gradient parameters.
//
//   Graph g = capture([&](const TensorList& x) { return TensorList{model(x[0])}; },
//                     {{"images", DType::f32, {Dim::symbol("batch"), 1, 28, 28}}}, {"logits"});
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "tensor/tensor.h"

namespace tenon::graph {

struct InputSpec {
  std::string name;
  DType dtype = DType::f32;
  Dims dims;
};

using Function = std::function<TensorList(const TensorList&)>;
// Names for tensors the function mixes in: usually a module's parameters by their paths.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

// `output_names` may be empty (named after the operators) or one an output. Branches of the
// function that look at sizes see symbolic ones; looking at data fails (usage), since there is
// none.
Graph capture(const Function& function, const std::vector<InputSpec>& inputs,
              const std::vector<std::string>& output_names = {}, const NamedTensors& names = {});

// A graph while it is being recorded. Import uses it node by node; capture() is the everyday door.
class Recorder : public std::enable_shared_from_this<Recorder> {
 public:
  static std::shared_ptr<Recorder> create(std::string graph_name, const NamedTensors& names = {});

  Tensor input(std::string name, DType type, Dims dims);
  Tensor input(std::string name, TensorType type);  // whose rank may be unknown
  // The graph value behind a tensor: its own when symbolic, else a constant made from it.
  ValueId value_of(const Tensor& tensor, const std::string& name = {});
  // The symbolic tensor of a value that already is in the graph.
  Tensor tensor_of(ValueId id);
  // Said of the nodes recorded from now on.
  void set_origin(std::string node_name, std::string origin);
  // Types and shape facts known of a tensor, symbolic or not (import folds what is constant).
  TensorType type_of(const Tensor& tensor);
  Graph& graph() { return graph_; }

  TensorList record(const OpDef& op, std::span<const Tensor* const> inputs, const Attrs& attrs,
                    size_t output_count);
  // The graph so far; the recorder ends.
  Graph finish(const TensorList& outputs, const std::vector<std::string>& output_names);

 private:
  explicit Recorder(const NamedTensors& names) : names_(names) {}

  Graph graph_;
  NamedTensors names_;
  std::string node_name_, origin_;
  bool finished_ = false;
  // Constants already in the graph, by the data they show; the tensor keeps that data alive.
  struct Known {
    Tensor tensor;
    ValueId id;
  };
  std::multimap<const void*, Known> constants_;
};

}  // namespace tenon::graph
