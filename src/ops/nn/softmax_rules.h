// What Softmax, LogSoftmax and their gradients have in common.
#pragma once

#include "ops/grad.h"
#include "ops/infer.h"
#include "ops/onnx_node.h"

namespace tenon::softmax_rules {

void infer(InferContext& ctx);       // Y like X; checks axis
void infer_grad(InferContext& ctx);  // dX like dY; checks that Y has that shape, and axis

// The attribute axis of a call on a tensor of that rank, as a list for reductions.
Shape axes(const Call& call, size_t rank);

// Before opset 13, axes from `axis` (default 1) on were one axis.
TensorList upgrade_flat(const OpDef& op, const OnnxNode& node);
void lower_flat(OnnxNode& node);

}  // namespace tenon::softmax_rules
