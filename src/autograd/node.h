// One recorded call, or a leaf: what stands behind Tensor::history().
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "ops/grad.h"
#include "runtime/dispatch.h"

namespace tenon::autograd {

class Node;

// Which output of which node a tensor is: what Tensor::history() holds.
class Edge final : public History {
 public:
  Edge(Ref<Node> node, size_t output) : node(std::move(node)), output(output) {}
  void record(const OpDef& op, std::span<const Tensor* const> inputs, const Attrs& attrs,
              std::span<Tensor> outputs) override;

  const Ref<Node> node;
  const size_t output;
};

// A tensor kept for backward, with the version it had.
struct Saved {
  Tensor tensor;  // of an output: without its history, which would be a cycle
  uint32_t version = 0;
};

class Node final : public RefCounted {
 public:
  Node();  // a leaf
  Node(const OpDef& op, const Attrs& attrs);
  ~Node() override;

  bool is_leaf() const { return op == nullptr; }
  std::string_view name() const { return op ? op->name : "leaf"; }

  const OpDef* op = nullptr;
  Attrs attrs;
  // Creation order: a node's inputs have smaller numbers, so descending order is a valid order for
  // backward.
  const uint64_t sequence;
  std::vector<Ref<Edge>> inputs;  // null where no gradient is wanted
  std::vector<TensorType> input_types, output_types;
  std::vector<Saved> saved_inputs, saved_outputs;
  bool freed = false;

  // Leaves only: the collected gradient.
  Tensor grad;

  struct NamedHook {
    uint64_t id;
    size_t output;
    std::function<Tensor(const Tensor&)> hook;
  };
  std::vector<NamedHook> hooks;

  // d(loss)/d(inputs) from d(loss)/d(outputs); `self` is this node's own reference, for
  // re-attaching the histories of saved outputs.
  TensorList backward(const Ref<Node>& self, const TensorList& grads, bool create_graph);
};

// The edge behind a tensor, or null.
inline Ref<Edge> edge_of(const Tensor& tensor) {
  return tensor.requires_grad() ? Ref<Edge>(static_cast<Edge*>(tensor.history().get()))
                                : Ref<Edge>();
}

}  // namespace tenon::autograd
