// The sizes of matrix products as NumPy takes them: leading axes broadcast, a vector stands for a
// row on the left and for a column on the right.
#pragma once

#include "ops/infer.h"

namespace tenon::product_rules {

// The shape of inputs `a` times `b`. Fails (usage) where they do not fit, naming their ports.
Dims output(const InferContext& ctx, size_t a, size_t b);

// A product whose sizes are all known, vectors taken as matrices.
struct Sizes {
  Shape batch;  // the leading axes of the result
  int64_t rows = 1, inner = 1, columns = 1;
  // From one matrix to the next along each axis of `batch`, in elements; 0 where broadcast.
  Shape a_strides, b_strides;
};
Sizes sizes_of(const Shape& a, const Shape& b);

// Two for each multiplication and addition; 0 where a size is symbolic.
double flops(const Dims& a, const Dims& b);

}  // namespace tenon::product_rules
