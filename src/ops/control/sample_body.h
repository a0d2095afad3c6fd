// A small graph for the samples of control flow, written as functions.
#pragma once

#include <memory>
#include <utility>

#include "ops/infer.h"

namespace tenon::control {

class SampleBody final : public Subgraph {
 public:
  using Infer = std::vector<TensorType> (*)(std::span<const TensorType>);
  using Compute = TensorList (*)(const TensorList&);

  SampleBody(size_t inputs, size_t outputs, Infer infer, Compute compute)
      : inputs_(inputs), outputs_(outputs), infer_(infer), compute_(compute) {}

  // As the attribute `name`.
  static Attr attr(std::string_view name, size_t inputs, size_t outputs, Infer infer,
                   Compute compute) {
    return {name, std::shared_ptr<const Subgraph>(
                      std::make_shared<SampleBody>(inputs, outputs, infer, compute))};
  }

  size_t input_count() const override { return inputs_; }
  size_t output_count() const override { return outputs_; }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    return infer_(inputs);
  }
  Run runner() const override { return compute_; }

 private:
  size_t inputs_, outputs_;
  Infer infer_;
  Compute compute_;
};

}  // namespace tenon::control
