// What the normalisation operators have in common.
#pragma once

#include "ops/grad.h"
#include "ops/infer.h"

namespace tenon::norm_rules {

// Mean of X over `axes` and 1 / sqrt(variance + epsilon), with those axes kept at size 1.
struct Moments {
  Tensor centered, mean, variance, inv_std;
};
Moments moments(const Tensor& x, const Shape& axes, double epsilon);

// All axes of [N, C, spatial...] but the channels'; those of one image; axes from `first` on.
Shape batch_axes(size_t rank);
Shape spatial_axes(size_t rank);
Shape axes_from(size_t first, size_t rank);

// [C] as [C, 1, ...], so that it broadcasts along the channels of a tensor of that rank.
Tensor per_channel(const Tensor& values, size_t rank);

// Fails unless input `at`, called `role`, is [size].
void check_vector(const InferContext& ctx, size_t at, std::string_view role, const Dim& size);
// Fails unless input `at`, called `role`, broadcasts to X without changing its shape.
void check_broadcasts(const InferContext& ctx, size_t at, std::string_view role, const Dims& x);

// The type of statistics: what stash_type (1: f32, 16: bf16) says. Fails (usage) on another number.
DType stash_type(const Call& call);

}  // namespace tenon::norm_rules
