// Runs a kernel of f32 on tensors of f16 or bf16: inputs are widened before it, outputs narrowed
// after it. For primitives that oneDNN has in f32 only on processors without 16-bit arithmetic.
#pragma once

#include "runtime/kernel.h"
#include "tensor/tensor.h"

namespace tenon::cpu {

// Constant input `i` of f32, f16 or bf16, whose elements fill one block, as f32 in the same order:
// itself, or made once and kept in ctx.packed.
Tensor constant_as_f32(const PrepareContext& ctx, size_t i);

// Refuses where no input is of f16 or bf16, where such an input has gaps or repeats elements, and
// what `prepare` refuses. Outputs keep the order of axes that `prepare` gives them. Constant inputs
// are widened once and are constants for `prepare` too.
Prepared prepare_through_f32(const PrepareContext& ctx, PrepareFn prepare);

template <PrepareFn prepare>
Prepared through_f32(const PrepareContext& ctx) {
  return prepare_through_f32(ctx, prepare);
}

}  // namespace tenon::cpu
