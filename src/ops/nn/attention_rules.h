// Phrases that the attention operators of ONNX and of other domains share. Each works for concrete
// and symbolic tensors.
#pragma once

#include <string_view>

#include "ops/grad.h"
#include "ops/infer.h"

namespace tenon::attention_rules {

// [batch, length, heads * size] as [batch, heads, length, size], and back.
Tensor split_heads(const Tensor& x, int64_t heads);
Tensor merge_heads(const Tensor& x);
// Each head of [batch, heads, length, size] `times` times in a row.
Tensor repeat_heads(const Tensor& x, int64_t times);
// Appends along the axis of length of [batch, heads, length, size]; without a past `now` itself.
Tensor append(const Tensor& past, const Tensor& now);

// The size of an axis as an int64 tensor of rank 0.
Tensor size_of(const Tensor& x, size_t axis);
// 0, 1, ..., one for each element of the axis: int64, rank 1.
Tensor positions(const Tensor& x, size_t axis);

// `x` where `allowed`, minus infinity elsewhere; the two broadcast.
Tensor mask_out(const Tensor& x, const Tensor& allowed);
// Softmax over the last axis, where a row of minus infinities gives zeros.
Tensor softmax_or_zero(const Tensor& x);

// The constant size of an axis; fails (unsupported) on a symbolic one.
int64_t fixed_size(const Tensor& x, size_t axis, std::string_view where);

// Sums that a residual connection starts with; undefined terms are left out.
Tensor sum_of(std::initializer_list<Tensor> terms);

}  // namespace tenon::attention_rules
