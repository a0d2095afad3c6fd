// Matrix products with constant weights, MatMul and Gemm alike.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/rewrite.h"

namespace tenon::graph {

// y = x * weights + bias.
struct ConstantProduct {
  ValueId x = kNoValue, bias = kNoValue;
  Tensor weights;  // f32 [inner, columns], contiguous
  std::string name;
};
// Of a node that is one, unless it is named in `without`; nothing for all others.
std::optional<ConstantProduct> constant_product(const Rewriter& r, const Node& node,
                                                const std::vector<std::string>& without);

}  // namespace tenon::graph
