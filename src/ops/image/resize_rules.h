// How Resize reads along each axis (https://onnx.ai/onnx/operators/onnx__Resize.html): where an
// element of the output lies in the input, and which elements there it mixes with what weights.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/infer.h"
#include "tensor/tensor.h"

namespace tenon::resize_rules {

// The contents of the inputs roi, scales and sizes; empty where absent.
struct Lists {
  std::vector<double> roi, scales;
  std::vector<int64_t> sizes;
};
// From three neighbouring inputs of a prepared call (runtime/kernel.h), roi first.
template <class Spec>
Lists lists_of(std::span<const Spec> inputs, size_t roi) {
  const auto contents = [&]<class T>(size_t i, std::vector<T>& list) {
    if (i >= inputs.size() || !inputs[i].present() || inputs[i].numel() == 0) return;
    const auto* data = static_cast<const std::byte*>(inputs[i].constant);
    list = Tensor::borrow(const_cast<std::byte*>(data), inputs[i].shape, inputs[i].dtype)
               .template to_vector<T>();
  };
  Lists lists;
  contents(roi, lists.roi);
  contents(roi + 1, lists.scales);
  contents(roi + 2, lists.sizes);
  return lists;
}

// Checks a call but for X's sizes, and says the output's, for an X of these dims; roi, scales and
// sizes are the inputs from `roi` on.
Dims output(const InferContext& ctx, const Dims& x, DType type, size_t roi);

// The elements of the input that each element of the output mixes, along one axis.
struct Taps {
  int64_t in = 0, out = 0;
  std::vector<int64_t>
      first;  // of each output element in `place` and `weight`; one more at the end
  std::vector<int64_t> place;  // ascending for one output element
  std::vector<double> weight;
  std::vector<bool> outside;  // output elements that are the extrapolation value; empty: none are

  int64_t count(int64_t o) const {
    return first[static_cast<size_t>(o) + 1] - first[static_cast<size_t>(o)];
  }
  int64_t most() const;       // taps of any output element
  bool is_identity() const;   // each element is its own
  bool is_selection() const;  // each is one element, with weight 1
  // From outputs to inputs, for gradients: what `outside` elements mix is nothing.
  Taps transposed() const;
};
// One for each axis of x; `y` is the output's shape.
std::vector<Taps> taps(const Call& call, const Shape& x, const Shape& y, const Lists& lists);

}  // namespace tenon::resize_rules
