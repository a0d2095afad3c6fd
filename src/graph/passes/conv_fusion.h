// Convolutions with what follows them as FusedConv: what fuse_conv and fuse_conv_more share.
#pragma once

#include "graph/rewrite.h"

namespace tenon::passes {

enum class Activations : uint8_t {
  portable,  // those that ONNX Runtime's FusedConv knows
  all,
};

// Each Conv, or FusedConv that has room for it, takes over the sum with a tensor of the same shape
// and the activation behind it, where nobody else reads what lies between.
void fuse_convolutions(graph::Rewriter& r, TypeSet types, Activations known);

}  // namespace tenon::passes
