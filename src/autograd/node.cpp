// Recording a call, and running its gradient.
#include "autograd/node.h"

#include <atomic>

#include "autograd/autograd.h"

namespace tenon::autograd {

namespace {

std::atomic<uint64_t> next_sequence{0};

TensorType type_of(const Tensor& tensor) { return TensorType::of(tensor, false); }

Saved save(const Tensor& tensor) {
  return {tensor, tensor.defined() && !tensor.is_symbolic() ? tensor.version() : 0};
}

// Gradients flow through floats only.
bool differentiable(const Tensor& tensor) { return tensor.defined() && is_float(tensor.dtype()); }

void check_version(const OpDef& op, const Saved& saved, std::string_view what, size_t i) {
  if (!saved.tensor.defined() || saved.tensor.is_symbolic()) return;
  TENON_CHECK(saved.tensor.version() == saved.version, usage,
              "backward of {}: {} {} of shape {} was changed in place after it was saved (version "
              "{}, now {}); "
              "clone it before changing it",
              op.name, what, i, saved.tensor.shape().str(), saved.version, saved.tensor.version());
}

}  // namespace

Node::Node() : sequence(next_sequence.fetch_add(1, std::memory_order_relaxed)) {}
Node::Node(const OpDef& op, const Attrs& attrs)
    : op(&op), attrs(attrs), sequence(next_sequence.fetch_add(1, std::memory_order_relaxed)) {}

// Long chains would recurse once a node; instead the nodes of a chain are let go one after another.
Node::~Node() {
  std::vector<Ref<Edge>> pending = std::move(inputs);
  while (!pending.empty()) {
    Ref<Edge> edge = std::move(pending.back());
    pending.pop_back();
    if (!edge || edge->use_count() > 1 || edge->node->use_count() > 1) continue;
    Node& node = *edge->node;
    for (Saved& saved : node.saved_inputs) saved.tensor = Tensor();
    for (Ref<Edge>& input : node.inputs) pending.push_back(std::move(input));
    node.inputs.clear();
  }
}

void Edge::record(const OpDef& op, std::span<const Tensor* const> inputs, const Attrs& attrs,
                  std::span<Tensor> outputs) {
  if (!op.grad.fn && !op.grad.expansion) return;  // not differentiable: a constant from here on
  bool any_float = false;
  for (const Tensor& output : outputs) any_float = any_float || differentiable(output);
  if (!any_float) return;

  auto made = make_ref<Node>(op, attrs);
  made->inputs.reserve(inputs.size());
  made->input_types.reserve(inputs.size());
  made->saved_inputs.resize(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    made->inputs.push_back(differentiable(*inputs[i]) ? edge_of(*inputs[i]) : Ref<Edge>());
    made->input_types.push_back(type_of(*inputs[i]));
    if (!inputs[i]->defined()) continue;
    // A symbolic tensor holds no data, and sizes may have to be read off it.
    if (inputs[i]->is_symbolic() || op.grad.saves.inputs >> std::min<size_t>(i, 31) & 1U)
      made->saved_inputs[i] = save(*inputs[i]);
  }
  made->saved_outputs.resize(outputs.size());
  made->output_types.reserve(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    made->output_types.push_back(type_of(outputs[i]));
    if (outputs[i].defined() && op.grad.saves.outputs >> std::min<size_t>(i, 31) & 1U)
      made->saved_outputs[i] = save(outputs[i].detach());
    if (differentiable(outputs[i]))
      outputs[i].set_history(Ref<Attachment>(make_ref<Edge>(made, i)));
  }
}

TensorList Node::backward(const Ref<Node>& self, const TensorList& grads, bool create_graph) {
  TENON_CHECK(!freed, usage,
              "backward of {}: its saved tensors were freed by an earlier backward; pass "
              "retain_graph to keep "
              "them",
              op->name);
  TensorList in(saved_inputs.size()), out(saved_outputs.size());
  for (size_t i = 0; i < saved_inputs.size(); ++i) {
    check_version(*op, saved_inputs[i], "input", i);
    in[i] = saved_inputs[i].tensor;
  }
  for (size_t i = 0; i < saved_outputs.size(); ++i) {
    check_version(*op, saved_outputs[i], "output", i);
    if (!saved_outputs[i].tensor.defined()) continue;
    out[i] = saved_outputs[i].tensor.detach();
    if (create_graph && is_float(out[i].dtype()))
      out[i].set_history(Ref<Attachment>(make_ref<Edge>(self, i)));
  }
  uint32_t needs = 0;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i]) needs |= 1U << std::min<size_t>(i, 31);

  const GradMode mode(create_graph);
  if (!op->grad.expansion)
    return op->grad.fn(GradContext(*op, attrs, in, out, input_types, output_types, grads, needs));

  // Write the call out in simpler operators on fresh leaves and differentiate those.
  const GradMode recording(true);
  TensorList leaves = in;
  TensorList wanted;
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!inputs[i]) continue;
    if (!create_graph) leaves[i] = leaves[i].detach().requires_grad_();
    wanted.push_back(leaves[i]);
  }
  const TensorList results = op->expand.fn(ExpandContext(*op, attrs, leaves, output_types.size()));
  TensorList ends, seeds;
  // An expansion may return more outputs than were asked for.
  for (size_t i = 0; i < std::min(results.size(), grads.size()); ++i) {
    if (!grads[i].defined() || !results[i].requires_grad()) continue;
    ends.push_back(results[i]);
    seeds.push_back(grads[i]);
  }
  TensorList found(wanted.size());
  if (!ends.empty())
    found =
        autograd::grad(ends, wanted, seeds, {.create_graph = create_graph, .allow_unused = true});
  TensorList all(inputs.size());
  for (size_t i = 0, k = 0; i < inputs.size(); ++i)
    if (inputs[i]) all[i] = found[k++];
  return all;
}

}  // namespace tenon::autograd
