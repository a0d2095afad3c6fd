// What CumSum and CumProd share.
#pragma once

#include "ops/grad.h"
#include "ops/infer.h"
#include "ops/samples.h"

namespace tenon::cumulation {

// What ONNX cumulates.
inline constexpr TypeSet kTypes = kFloats | types(DType::i32, DType::i64, DType::u32, DType::u64);

void infer(InferContext& ctx);
void samples(Samples& s);

}  // namespace tenon::cumulation
