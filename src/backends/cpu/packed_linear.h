// Products with constant weights of f32 that are packed while preparing: see
// kernels/packed_linear.cpp.
#pragma once

#include "runtime/kernel.h"

namespace tenon::cpu {

Prepared prepare_packed_linear(const PrepareContext& ctx);
Prepared prepare_packed_mat_mul(const PrepareContext& ctx);
Prepared prepare_packed_gemm(const PrepareContext& ctx);

}  // namespace tenon::cpu
