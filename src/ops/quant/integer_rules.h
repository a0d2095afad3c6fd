// What products of quantised tensors have in common: where their scales and zero points lie, and
// how a sum becomes an 8-bit number again.
#pragma once

#include <cmath>
#include <cstdint>

#include "ops/infer.h"
#include "ops/math/product_rules.h"

namespace tenon::integer_rules {

inline constexpr TypeSet kBytes = types(DType::i8, DType::u8);

// Fails unless input `at`, where given, has one element in at most one axis.
void check_single(const InferContext& ctx, size_t at);
// ... or one for each of the `size` things called `what`, along one axis.
void check_each(const InferContext& ctx, size_t at, const Dim& size, std::string_view what);
// Parameters of the rows (or columns) of input `matrix`, a matrix or a stack of them: one element,
// one a row, or one for each row of each matrix: [batch..., rows, 1] ([batch..., 1, columns]).
void check_rows(const InferContext& ctx, size_t at, size_t matrix);
void check_columns(const InferContext& ctx, size_t at, size_t matrix);

// Where the parameter of a row or column lies among the elements of its tensor.
struct ParameterWalk {
  Shape batch_strides;  // along product_rules::Sizes::batch
  int64_t step = 0;     // from one row or column to the next; 0: one for all
};
ParameterWalk walk_rows(const Shape& parameter, const product_rules::Sizes& sizes);
ParameterWalk walk_columns(const Shape& parameter, const product_rules::Sizes& sizes);

// The range of an 8-bit type.
inline int32_t lowest(DType type) { return type == DType::i8 ? -128 : 0; }
inline int32_t highest(DType type) { return type == DType::i8 ? 127 : 255; }

// saturate(round(value) + zero_point), halves to even; NaN gives the lowest number.
inline int32_t quantized(float value, int32_t zero_point, DType type) {
  const auto low = static_cast<float>(lowest(type) - zero_point);
  const auto high = static_cast<float>(highest(type) - zero_point);
  const float clamped = value > low ? (value < high ? value : high) : low;
  return static_cast<int32_t>(std::nearbyint(clamped)) + zero_point;
}

}  // namespace tenon::integer_rules
