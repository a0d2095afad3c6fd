// What kernels of convolutions share that are not oneDNN's: what FusedConv does with the sums, and
// inputs read in the order that suits the kernel.
#pragma once

#include <optional>

#include "backends/cpu/activation_loop.h"
#include "backends/cpu/conv_clamp.h"
#include "runtime/kernel.h"
#include "tensor/strided_copy.h"

namespace tenon::cpu {

struct ConvFinish {
  ConvClamp clamp;
  ActivationLoop activation;
};

// The activation of a Conv (none) or FusedConv; nothing where there is no loop for it.
std::optional<ConvFinish> conv_finish(const PrepareContext& ctx);

// Whether the elements of `spec` lie at these strides.
bool lies_at(const TensorSpec& spec, const Shape& strides);

// An input of f32 that is read at strides of the kernel's choice: where it lies, or from a copy in
// the scratch.
class ReorderedInput {
 public:
  // Takes its part of the scratch behind `scratch_bytes`, a multiple of 64 as it leaves it.
  ReorderedInput(const TensorSpec& spec, size_t port, const Shape& strides, size_t& scratch_bytes);
  bool is_copied() const { return copy_.has_value(); }
  const float* get(const RunContext& ctx) const;

 private:
  size_t port_, at_ = 0;
  std::optional<StridedCopy> copy_;
};

}  // namespace tenon::cpu
