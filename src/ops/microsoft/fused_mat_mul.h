// What FusedMatMul, FusedMatMulActivation and TransposeMatMul have in common.
#pragma once

#include "ops/grad.h"
#include "ops/infer.h"
#include "ops/samples.h"

namespace tenon::microsoft {

// alpha * A * B with the call's transA, transB, transBatchA and transBatchB.
Dims infer_product(const InferContext& ctx);
double product_flops(const InferContext& ctx);
Tensor product(const ExpandContext& ctx);
// Samples of the attributes that the operator has.
void product_samples(Samples& s, const OpDef& op);

}  // namespace tenon::microsoft
