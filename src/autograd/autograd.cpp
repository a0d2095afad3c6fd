// Walking the record backwards.
#include "autograd/autograd.h"

#include <algorithm>
#include <map>
#include <queue>
#include <unordered_map>

#include "autograd/node.h"
#include "base/trace.h"

namespace tenon::autograd {

namespace {

// Gradients that have arrived at the outputs of each node that still waits for its turn. Nodes go
// in descending order of creation, so every consumer of a node comes before it.
class Walk {
 public:
  Walk(const TensorList& outputs, const TensorList& seeds, const GradOptions& options)
      : options_(options) {
    TENON_CHECK(seeds.empty() || seeds.size() == outputs.size(), usage,
                "backward: {} seeds for {} outputs; give one an output or none", seeds.size(),
                outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Ref<Edge> edge = edge_of(outputs[i]);
      TENON_CHECK(edge, usage,
                  "backward: output {} has no history; mark an input with requires_grad_() and "
                  "compute with "
                  "recording on",
                  i);
      arrive(edge, seed_of(outputs[i], seeds.empty() ? Tensor() : seeds[i]));
    }
  }

  // Keeps what arrives at these edges, and whether more than leaves are wanted.
  void want(const TensorList& inputs) {
    for (const Tensor& input : inputs) {
      const Ref<Edge> edge = edge_of(input);
      TENON_CHECK(edge, usage,
                  "grad: input of shape {} has no history; mark it with requires_grad_() first",
                  str(input.dims()));
      wanted_.push_back({edge->node.get(), edge->output});
    }
    collect_leaves_ = false;
    mark_useful();
  }

  TensorList run() {
    TensorList found(wanted_.size());
    while (!queue_.empty()) {
      const Ref<Node> node = queue_.top().node;
      queue_.pop();
      TensorList grads = std::move(pending_[node.get()]);
      pending_.erase(node.get());
      run_hooks(*node, grads);
      for (size_t i = 0; i < wanted_.size(); ++i)
        if (wanted_[i].node == node.get()) found[i] = grads[wanted_[i].output];
      if (node->is_leaf()) {
        if (collect_leaves_) collect(*node, grads[0]);
        continue;
      }
      if (useful_ && !(*useful_)[node.get()]) continue;
      step(node, grads);
    }
    return found;
  }

 private:
  struct Turn {
    Ref<Node> node;
    bool operator<(const Turn& other) const { return node->sequence < other.node->sequence; }
  };
  struct Place {
    Node* node;
    size_t output;
  };

  static Tensor seed_of(const Tensor& output, const Tensor& seed) {
    if (seed.defined()) {
      TENON_CHECK(str(seed.dims()) == str(output.dims()) && seed.dtype() == output.dtype(), usage,
                  "backward: the seed is {}{} but the output is {}{}; they must match",
                  name(seed.dtype()), str(seed.dims()), name(output.dtype()), str(output.dims()));
      return seed;
    }
    const Dims dims = output.dims();
    TENON_CHECK(
        std::all_of(dims.begin(), dims.end(), [](const Dim& d) { return d == Dim(1); }), usage,
        "backward: the output has shape {}; reduce it to one element (sum, mean) or pass a seed",
        str(dims));
    return Tensor::ones(*to_shape(dims), output.dtype());
  }

  void arrive(const Ref<Edge>& edge, const Tensor& grad) {
    Node* node = edge->node.get();
    auto [place, is_new] = pending_.try_emplace(node);
    if (is_new) {
      place->second.resize(node->is_leaf() ? 1 : node->output_types.size());
      queue_.push({edge->node});
    }
    Tensor& slot = place->second[edge->output];
    const GradMode mode(options_.create_graph);
    slot = slot.defined() ? slot + grad : grad;
  }

  void step(const Ref<Node>& node, const TensorList& grads) {
    const trace::Span span("op", "backward");
    TensorList in;
    with_context([&] { return fmt::format("in the gradient of {}", node->name()); },
                 [&] { in = node->backward(node, grads, options_.create_graph); });
    // A gradient may answer for optional inputs that this call did not have.
    for (size_t i = 0; i < std::min(in.size(), node->inputs.size()); ++i)
      if (node->inputs[i] && in[i].defined()) arrive(node->inputs[i], in[i]);
    if (!options_.retain_graph && !options_.create_graph) {
      node->saved_inputs.clear();
      node->saved_outputs.clear();
      node->freed = true;
    }
  }

  static void run_hooks(Node& node, TensorList& grads) {
    for (const Node::NamedHook& hook : std::vector(node.hooks)) {
      if (!grads[hook.output].defined()) continue;
      if (Tensor changed = hook.hook(grads[hook.output]); changed.defined())
        grads[hook.output] = changed;
    }
  }

  void collect(Node& leaf, const Tensor& grad) const {
    if (!grad.defined()) return;
    if (!leaf.grad.defined()) {
      // A gradient that other holders may see (a seed, a saved tensor) must not be added to later.
      leaf.grad = options_.create_graph ? grad : grad.detach();
      return;
    }
    const GradMode mode(options_.create_graph);
    leaf.grad = leaf.grad + grad;
  }

  // Which nodes lead to a wanted place; the rest need not be run.
  void mark_useful() {
    useful_.emplace();
    for (const Place& place : wanted_) (*useful_)[place.node] = false;
    std::vector<Node*> order;
    std::unordered_map<Node*, bool> seen;
    std::vector<Node*> stack;
    for (const auto& [node, grads] : pending_) stack.push_back(node);
    while (!stack.empty()) {
      Node* node = stack.back();
      stack.pop_back();
      if (std::exchange(seen[node], true)) continue;
      order.push_back(node);
      for (const Ref<Edge>& edge : node->inputs)
        if (edge) stack.push_back(edge->node.get());
    }
    std::sort(order.begin(), order.end(),
              [](const Node* a, const Node* b) { return a->sequence < b->sequence; });
    const auto is_wanted = [&](const Node* node) {
      return std::any_of(wanted_.begin(), wanted_.end(),
                         [&](const Place& p) { return p.node == node; });
    };
    for (Node* node : order)
      for (const Ref<Edge>& edge : node->inputs)
        if (edge && (is_wanted(edge->node.get()) || (*useful_)[edge->node.get()]))
          (*useful_)[node] = true;
  }

  GradOptions options_;
  bool collect_leaves_ = true;
  std::vector<Place> wanted_;
  std::optional<std::unordered_map<Node*, bool>> useful_;
  std::unordered_map<Node*, TensorList> pending_;
  std::priority_queue<Turn> queue_;
};

}  // namespace

TensorList grad(const TensorList& outputs, const TensorList& inputs, const TensorList& seeds,
                const GradOptions& options) {
  Walk walk(outputs, seeds, options);
  walk.want(inputs);
  TensorList found = walk.run();
  for (size_t i = 0; i < found.size(); ++i)
    TENON_CHECK(found[i].defined() || options.allow_unused, usage,
                "grad: the outputs do not depend on input {} of shape {}; pass allow_unused if "
                "that is meant",
                i, str(inputs[i].dims()));
  return found;
}

void backward(const TensorList& outputs, const TensorList& seeds, const GradOptions& options) {
  Walk(outputs, seeds, options).run();
}

HookHandle register_hook(const Tensor& tensor, Hook hook) {
  const Ref<Edge> edge = edge_of(tensor);
  TENON_CHECK(edge, usage, "register_hook: the tensor has no history; hooks run on gradients");
  static std::atomic<uint64_t> next{0};
  const uint64_t id = next++;
  edge->node->hooks.push_back({id, edge->output, std::move(hook)});
  return HookHandle([node = edge->node, id] {
    std::erase_if(node->hooks, [&](const Node::NamedHook& named) { return named.id == id; });
  });
}

std::string history_name(const Tensor& tensor) {
  const Ref<Edge> edge = edge_of(tensor);
  return edge ? std::string(edge->node->name()) : "";
}

}  // namespace tenon::autograd
