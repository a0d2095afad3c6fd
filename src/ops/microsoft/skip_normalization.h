// What SkipLayerNormalization and SkipSimplifiedLayerNormalization have in common.
#pragma once

#include "ops/grad.h"
#include "ops/infer.h"

namespace tenon::microsoft {

// Shapes of the outputs; the vectors gamma, beta and bias are inputs `vectors` on.
void infer_skip_normalization(InferContext& ctx, size_t vectors);
// input + skip (+ bias, input `bias`)
Tensor skip_sum(const ExpandContext& ctx, size_t bias);

}  // namespace tenon::microsoft
