// What passes can prove of values, and the small pieces of graph they are made to say: reshapes
// that hold for symbolic sizes, orders of axes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "graph/rewrite.h"

namespace tenon::graph {

// Provably of one shape.
bool same_shape(const Rewriter& r, ValueId a, ValueId b);

// The number that every element of a constant is; truth values are 0 and 1. Nothing for constants
// without elements, of more than 4096, or of other types.
std::optional<double> uniform(const Rewriter& r, ValueId id);

// Input `i` of a node; kNoValue where it has none.
ValueId input_of(const Node& node, size_t i);
Call call_of(const Node& node);

// -- Reshape -----------------------------------------------------------------------------------
// The constant shape input that makes a Reshape of `from` give `to`, which has as many elements:
// sizes, 0 for one that is copied, -1 at most once. Nothing where that cannot say it.
std::optional<std::vector<int64_t>> reshape_target(const Dims& from, const Dims& to);
// `x` under the shape `to`: x itself, or a new Reshape; nothing where reshape_target() has nothing.
std::optional<ValueId> reshaped(Rewriter& r, ValueId x, const Dims& to);

// -- Orders of axes, as Transpose takes them: output axis i is input axis order[i] ----------------
using Order = std::vector<int64_t>;
Order order_of(const Node& transpose, size_t rank);
Order inverse(const Order& order);
// The order of Transpose(Transpose(x, first), second).
Order compose(const Order& first, const Order& second);
bool is_identity(const Order& order);
// Whether it moves only axes of size 1, so that a Reshape does the same.
bool keeps_elements_in_place(const Dims& dims, const Order& order);
Dims reordered(const Dims& dims, const Order& order);

}  // namespace tenon::graph
