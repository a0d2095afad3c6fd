// What ScatterElements and ScatterND share: how updates are combined with what is there.
#pragma once

#include "ops/grad.h"
#include "ops/infer.h"
#include "ops/onnx_node.h"

namespace tenon {

inline constexpr AttrSpec kScatterReduction = attr_s("reduction", "none", "none|add|mul|max|min");

// That the reduction can compute with the tensors' type.
void check_reduction(const InferContext& ctx);
// The rule of ScatterElements, and of Scatter, which has no reduction.
void infer_scatter_elements(InferContext& ctx);
// Whether the reduction is add; fails (unsupported) on those without a gradient.
bool adds_updates(const GradContext& ctx);
// Zeros of the shape of the updates.
Tensor zero_updates(const GradContext& ctx);
// Opset 16 brought add and mul, 18 max and min.
void lower_scatter(OnnxNode& node);

}  // namespace tenon
