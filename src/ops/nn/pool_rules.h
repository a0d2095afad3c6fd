// What MaxPool, AveragePool and LpPool have in common.
#pragma once

#include "ops/infer.h"
#include "ops/nn/windows.h"
#include "ops/onnx_node.h"

namespace tenon::pool_rules {

// All outputs are [N, C, windows...] for input 0, [N, C, spatial...].
void infer(InferContext& ctx);

// Checks input 0 and kernel_shape against each other; a padding as wide as the window would make
// windows of nothing but padding. Returns the number of spatial axes.
size_t check(const InferContext& ctx, const Dims& image, std::string_view image_name);

// For gradients: `dy` must have as many windows as an image of these spatial sizes gives.
void check_windows(const InferContext& ctx, size_t dy, const Dims& spatial);

Windows windows(const Call& call, const Shape& image);

// Rewrites a node for an opset before its attribute dilations, which only ones survive; `since` is
// the first opset that has it.
void lower_dilations(OnnxNode& node, int since);
// The attributes of an LpPool of opset 1, whose p is a float there.
Attrs integral_p(const OnnxNode& node);

// GlobalAveragePool and its kin: all spatial axes become 1.
void infer_global(InferContext& ctx);
Shape spatial_axes(size_t rank);

}  // namespace tenon::pool_rules
