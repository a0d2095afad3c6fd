// What gradients and expansions see, and the few phrases they are written in.
#pragma once

#include <span>

#include "ops/infer.h"
#include "ops/op.h"

namespace tenon {

// A call being differentiated. Only what OpDef::grad saves may be read as a tensor; types and
// shapes of all inputs and outputs are always known.
class GradContext : public Call {
 public:
  GradContext(const OpDef& op, const Attrs& attrs, std::span<const Tensor> inputs,
              std::span<const Tensor> outputs, std::span<const TensorType> input_types,
              std::span<const TensorType> output_types, std::span<const Tensor> grads,
              uint32_t needs)
      : Call{op, attrs},
        inputs_(inputs),
        outputs_(outputs),
        input_types_(input_types),
        output_types_(output_types),
        grads_(grads),
        needs_(needs) {}

  size_t input_count() const { return input_types_.size(); }
  size_t output_count() const { return output_types_.size(); }
  bool has_input(size_t i) const {
    return i < input_types_.size() && input_types_[i].dtype != DType::undefined;
  }
  const Tensor& input(size_t i) const;
  const Tensor& output(size_t i) const;
  const Dims& dims(size_t i) const { return input_types_[i].dims; }
  const Dims& output_dims(size_t i) const { return output_types_[i].dims; }
  DType dtype(size_t i) const { return input_types_[i].dtype; }
  // d(loss)/d(output i); zeros if nothing flowed into that output.
  Tensor grad(size_t i = 0) const;
  bool has_grad(size_t i) const { return i < grads_.size() && grads_[i].defined(); }
  // Whether somebody wants d(loss)/d(input i); skip the work if not.
  bool needs(size_t i) const { return needs_ >> (i < 31 ? i : 31) & 1U; }
  // Shape of input i as an int64 tensor. Nothing needs to be saved for it: a symbolic size is read
  // off the input, which a graph keeps for free, else off a gradient.
  Tensor shape_of(size_t i) const;
  // x, which has as many elements as input i, in its shape.
  Tensor reshape(const Tensor& x, size_t i) const;
  // The integers of input i, which is saved; fails (unsupported) where a graph computes them.
  std::vector<int64_t> ints_of(size_t i) const;
  // A list of undefined gradients, one an input.
  TensorList none() const { return TensorList(input_types_.size()); }

 private:
  std::span<const Tensor> inputs_, outputs_;
  std::span<const TensorType> input_types_, output_types_;
  std::span<const Tensor> grads_;
  uint32_t needs_;
};

// A call being written out in simpler operators; returns `output_count` tensors.
class ExpandContext : public Call {
 public:
  ExpandContext(const OpDef& op, const Attrs& attrs, std::span<const Tensor> inputs,
                size_t output_count)
      : Call{op, attrs}, output_count_(output_count), inputs_(inputs) {}
  size_t input_count() const { return inputs_.size(); }
  bool has_input(size_t i) const { return i < inputs_.size() && inputs_[i].defined(); }
  const Tensor& input(size_t i) const { return inputs_[i]; }
  size_t output_count() const { return output_count_; }

 private:
  size_t output_count_;
  std::span<const Tensor> inputs_;
};

// -- Phrases ----------------------------------------------------------------------------------
// Each works for concrete and symbolic tensors.

// A rank-0 constant of x's type.
Tensor constant_like(const Tensor& x, double value);
// `value` everywhere, with the shape `dims` (an Expand when dims are symbolic).
Tensor full(const Dims& dims, double value, DType type, const Tensor& like);
// Sums a broadcast gradient back to the shape of the input it belongs to.
Tensor sum_to(const Tensor& grad, const Dims& dims);
// Shape as an int64 tensor: a constant when static; built from op::Shape of `like` otherwise.
Tensor shape_tensor(const Dims& dims, const Tensor& like);
Tensor reshape_to(const Tensor& x, const Dims& dims, const Tensor& like);

}  // namespace tenon
