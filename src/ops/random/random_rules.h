// What operators that draw random numbers share. A `seed` makes a call draw the same each time;
// without it calls take the next numbers of the process's stream (runtime/random.h).
#pragma once

#include "ops/infer.h"

namespace tenon::random_rules {

// The type that attribute dtype names, `otherwise` where it is absent; fails unless it is in `set`.
DType drawn_type(const InferContext& ctx, DType otherwise, TypeSet set);
// Output 0 of the shape that attribute `shape` gives.
void infer_from_shape(InferContext& ctx);
// Output 0 of input 0's shape, and of its type where dtype is absent.
void infer_like(InferContext& ctx);

}  // namespace tenon::random_rules
