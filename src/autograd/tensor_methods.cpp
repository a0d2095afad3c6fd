// The part of Tensor that speaks of gradients.
#include "autograd/autograd.h"
#include "autograd/node.h"

namespace tenon {

namespace {

autograd::Node* leaf_of(const Tensor& tensor) {
  const Ref<autograd::Edge> edge = autograd::edge_of(tensor);
  return edge && edge->node->is_leaf() ? edge->node.get() : nullptr;
}

}  // namespace

Tensor& Tensor::requires_grad_(bool on) {
  TENON_CHECK(defined(), usage, "requires_grad_: the tensor is undefined; make it first");
  if (on == requires_grad()) return *this;
  TENON_CHECK(is_leaf(), usage,
              "requires_grad_: the tensor is the result of {}; use detach() to cut it off",
              autograd::history_name(*this));
  TENON_CHECK(is_float(dtype()), usage,
              "requires_grad_: the tensor is {}; only floats have gradients", name(dtype()));
  if (on)
    set_history(Ref<Attachment>(make_ref<autograd::Edge>(make_ref<autograd::Node>(), 0)));
  else
    set_history({});
  return *this;
}

bool Tensor::is_leaf() const { return !requires_grad() || leaf_of(*this); }

Tensor Tensor::grad() const {
  const autograd::Node* leaf = leaf_of(*this);
  return leaf ? leaf->grad : Tensor();
}

void Tensor::set_grad(Tensor grad) {
  autograd::Node* leaf = leaf_of(*this);
  TENON_CHECK(leaf, usage, "set_grad: only leaves that require a gradient collect one");
  leaf->grad = std::move(grad);
}

void Tensor::backward(const Tensor& seed) const {
  autograd::backward({*this}, seed.defined() ? TensorList{seed} : TensorList{});
}

Tensor Tensor::detach() const {
  if (!defined()) return {};
  if (is_symbolic()) return symbolic(dtype(), dims(), symbol());
  return over(storage(), offset(), shape(), strides(), dtype());
}

}  // namespace tenon
