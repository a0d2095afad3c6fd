// The same operator on a tensor whose axes are in another order: what a Transpose passes through.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "graph/facts.h"

namespace tenon::graph {

// How node(Transpose(x, order), ...) is Transpose(node'(x, ...), output).
struct ReorderedCall {
  Order output;  // of every output; of another length than `order` where axes come or go
  Attrs attrs;
  // By input: whether it has the axes of x, so that it is needed in x's order too; an input of
  // fewer axes is broadcast to them. The others stay as they are, unless they are listed below.
  std::vector<bool> data;
  // New contents of inputs that name axes; an input past the last one is an absent one.
  std::vector<std::pair<size_t, Tensor>> lists;
};

// Nothing where the operator depends on the order of axes, or names axes that are not known yet.
std::optional<ReorderedCall> reordered_call(const Rewriter& r, const Node& node,
                                            const Order& order);

}  // namespace tenon::graph
