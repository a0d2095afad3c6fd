// What the Reduce operators share: which axes go, what is left, and their ONNX forms.
#pragma once

#include <span>
#include <vector>

#include "ops/grad.h"
#include "ops/infer.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::reduction {

// What ONNX's Reduce operators compute with.
inline constexpr TypeSet kTypes = kFloats | types(DType::i32, DType::i64, DType::u32, DType::u64);

// The axes that go, from the front: all when none are named, unless `noop_with_empty_axes` is set.
std::vector<size_t> reduced_axes(const Call& call, std::span<const int64_t> axes, size_t rank);

void infer(InferContext& ctx);
// Known elements of a vector folded into one: fold(so far, next).
void fold_values(InferContext& ctx, const Dim& first, Dim (*fold)(const Dim&, const Dim&));

// The axes that a call being differentiated reduces.
std::vector<size_t> reduced_axes(const GradContext& ctx);
// A tensor of the output's shape with the reduced axes back in, so that it broadcasts to the input.
Tensor keep_axes(const GradContext& ctx, const Tensor& y);
// The gradient repeated over the reduced axes, in the input's shape.
Tensor spread(const GradContext& ctx, const Tensor& dy);
// One tensor for input 0, nothing for the axes.
TensorList only(const GradContext& ctx, Tensor dx);

// The axes were an attribute before opset 18 (ReduceSum: 13).
TensorList axes_from_attribute(const OnnxNode& node);
void axes_to_attribute(OnnxNode& node);

// Good and wrong calls that suit each of them; values from `low` to `high`, or apart from each
// other.
void samples(Samples& s, double low, double high);
void samples_apart(Samples& s);

}  // namespace tenon::reduction
