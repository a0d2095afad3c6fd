// What ArgMax and ArgMin share.
#pragma once

#include "ops/infer.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::arg_reduction {

void infer(InferContext& ctx);
void lowered(OnnxNode& node);
void samples(Samples& s);

}  // namespace tenon::arg_reduction
