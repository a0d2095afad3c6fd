// What QLinearAdd and QLinearMul have in common.
#pragma once

#include "ops/infer.h"
#include "ops/samples.h"

namespace tenon::microsoft {

void infer_binary(InferContext& ctx);
void binary_samples(Samples& s);

}  // namespace tenon::microsoft
