// Lists of axes as operators take them: possibly negative, in any order, each at most once.
#pragma once

#include <span>
#include <vector>

#include "ops/infer.h"

namespace tenon {

// The axes counted from the front, in the given order. Fails on one outside `rank` or named twice.
std::vector<size_t> distinct_axes(const InferContext& ctx, std::span<const int64_t> axes,
                                  size_t rank);

// How many integers a list input holds, when that is known; fails unless it is a vector or a
// scalar.
Dim list_size(const InferContext& ctx, size_t input);

// `rank` sizes of which nothing is known.
Dims unknown_dims(size_t rank);

}  // namespace tenon
