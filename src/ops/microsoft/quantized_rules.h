// Phrases that the QLinear operators of com.microsoft are written in. Each does in f32, operation
// by operation, what ONNX Runtime's kernels do, so that ties round the same way.
#pragma once

#include "ops/infer.h"
#include "ops/microsoft/microsoft_rules.h"

namespace tenon::microsoft {

// A tensor of one element as rank 0.
Tensor scalar_of(const Tensor& single);
// As f32; 0 where absent.
Tensor zero_point_of(const Tensor& zero_point);
// (x - zero_point) * scale
Tensor dequantized(const Tensor& x, const Tensor& scale, const Tensor& zero_point);
// saturate(round(y / scale) + zero_point), of the type `type`
Tensor quantized(const Tensor& y, const Tensor& scale, const Tensor& zero_point, DType type);
// saturate(round(y) + zero_point)
Tensor rounded(const Tensor& y, const Tensor& zero_point, DType type);

// Checks that each of these inputs, where given, has one element.
void check_singles(const InferContext& ctx, std::initializer_list<size_t> inputs);

// Between [N, spatial..., C] and [N, C, spatial...].
Dims channels_second(const Dims& dims);
Dims channels_last(const Dims& dims);
Tensor channels_second(const Tensor& x);
Tensor channels_last(const Tensor& x);

}  // namespace tenon::microsoft
