// In which type an expansion computes.
#pragma once

#include "tensor/dtype.h"

namespace tenon {

// Sums and exponentials of 16-bit floats are taken in f32, as kernels do.
inline DType compute_type(DType type) {
  return type == DType::f16 || type == DType::bf16 ? DType::f32 : type;
}
// For operands of several types: the widest of them.
template <class... Types>
DType compute_type(DType type, Types... others) {
  return type == DType::f64 || ((others == DType::f64) || ...) ? DType::f64 : DType::f32;
}

}  // namespace tenon
