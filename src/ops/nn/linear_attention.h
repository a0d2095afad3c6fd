// One call of LinearAttention with all sizes known, for kernels.
#pragma once

#include "ops/infer.h"

namespace tenon::linear_attention {

enum Input : size_t { kQuery, kKey, kValue, kPastState, kDecay, kBeta, kEraseGate };

struct Sizes {
  int64_t batch = 0, steps = 0;
  int64_t heads = 0;   // of keys and values
  int64_t shares = 1;  // query heads that read one of those
  int64_t keys = 0, values = 0;
  int64_t decay_width = 0;  // numbers a head of decay: 0, 1 or `keys`
  int64_t beta_heads = 0;   // 0, 1 or `heads`
  double scale = 1;
};
Sizes sizes_of(const Call& call, const Shape& query, const Shape& value, const Shape* decay,
               const Shape* beta);

}  // namespace tenon::linear_attention
