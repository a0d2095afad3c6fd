// Inputs of ai.onnx.ml: rows of features [N, F], or the features of one row [F].
#pragma once

#include "ops/infer.h"

namespace tenon::feature_rows {

struct Rows {
  Dim count, features;
};
// Fails unless input `at` is [N, F] or [F].
Rows of(const InferContext& ctx, size_t at = 0);

// Concrete sizes, for kernels.
struct Sizes {
  int64_t count = 1, features = 0;
};
Sizes of(const Shape& shape);

// In operators: [F] as [1, F].
Tensor as_matrix(const Tensor& x);
// In operators: as f32, f64 by way of itself.
Tensor as_f32(const Tensor& x);
// A constant of floats given by an attribute.
Tensor constant(std::span<const double> values, const Shape& shape, DType type = DType::f32);

}  // namespace tenon::feature_rows
