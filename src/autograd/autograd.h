// Gradients of what was computed. Operators record themselves on the way (runtime/dispatch.h); this
// is how the record is read.
//
//   Tensor w = Tensor::ones({3}).requires_grad_();
//   Tensor loss = (w * w).sum();
//   loss.backward();                       // w.grad() is 2w
//   TensorList g = autograd::grad({loss}, {w});            // the same, without touching .grad()
//
// Gradients are themselves operators: with `create_graph` they are recorded, so they can be
// differentiated again.
#pragma once

#include <functional>
#include <span>

#include "runtime/dispatch.h"
#include "tensor/tensor.h"

namespace tenon::autograd {

struct GradOptions {
  bool create_graph = false;  // record the gradient computation, for second derivatives
  bool retain_graph =
      false;  // keep saved tensors, so that the same result can be differentiated again
  bool allow_unused = false;  // an input that the outputs do not depend on gets an undefined tensor
};

// d(sum of outputs * seeds)/d(inputs), one an input. An undefined seed means 1 and needs an output
// of one element. Fails (usage) on outputs without a history, freed saved tensors, saved tensors
// changed in place since, seeds of a wrong shape, and unused inputs unless allowed.
TensorList grad(const TensorList& outputs, const TensorList& inputs, const TensorList& seeds = {},
                const GradOptions& options = {});

// Adds gradients to .grad() of every leaf that the outputs depend on.
void backward(const TensorList& outputs, const TensorList& seeds = {},
              const GradOptions& options = {});

// Calls `hook` with the gradient of `tensor` whenever backward computes it; a defined result
// replaces it. The handle removes the hook when asked; hooks live as long as the tensor's history.
using Hook = std::function<Tensor(const Tensor&)>;
class HookHandle {
 public:
  HookHandle() = default;
  explicit HookHandle(std::function<void()> remove) : remove_(std::move(remove)) {}
  void remove() {
    if (remove_) std::exchange(remove_, {})();
  }

 private:
  std::function<void()> remove_;
};
HookHandle register_hook(const Tensor& tensor, Hook hook);

// The operator that made `tensor` ("MatMul"), "leaf", or "" when nothing is recorded.
std::string history_name(const Tensor& tensor);

}  // namespace tenon::autograd
