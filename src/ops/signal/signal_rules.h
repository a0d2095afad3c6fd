// What the operators of this folder share: inputs that are one number, the type that an attribute
// names, and windows made of cosines.
#pragma once

#include <string_view>

#include "ops/grad.h"
#include "ops/infer.h"
#include "ops/samples.h"

namespace tenon::signal {

// The longest transform.
inline constexpr int64_t kMaxLength = int64_t{1} << 30;

// Fails unless input `i`, where it is given, holds one number.
void check_number(const InferContext& ctx, size_t i);
// The integer that input `i` holds, where it is known.
Dim integer(const InferContext& ctx, size_t i);
// The type that attribute output_datatype names.
DType output_type(const InferContext& ctx);
// An input of one number as a tensor of rank 0.
Tensor as_scalar(const Tensor& number);

// Rules of the windows: `size` elements of the type that output_datatype names.
void infer_window(InferContext& ctx);
// a0 - a1 cos(t) + a2 cos(2t), t from 0 to before 2 pi (periodic) or to 2 pi (symmetric).
Tensor cosine_window(const ExpandContext& ctx, double a0, double a1, double a2);
void window_samples(Samples& s);

}  // namespace tenon::signal
