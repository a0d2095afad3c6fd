// What the passes that look for spelled-out operators share: a view of the graph that remembers the
// nodes it was asked for, so that a match can be checked to be used by nobody else.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "graph/rewrite.h"

namespace tenon::passes {

class Pattern {
 public:
  explicit Pattern(const graph::Rewriter& rewriter) : r_(rewriter) {}

  // The maker of the value where that is an `op`, which is then part of the match; else null. Good
  // until the next Rewriter::add().
  const graph::Node* take(graph::ValueId id, const OpDef& op);
  void take(graph::NodeId id) { nodes_.push_back(id); }

  // The match so far; back() forgets what came after it.
  size_t mark() const { return nodes_.size(); }
  void back(size_t mark) { nodes_.resize(mark); }

  // Whether everything the match makes, `result` excepted, is read by the match alone and is no
  // output: then all of it goes when `result` is replaced.
  bool closed(graph::ValueId result) const;

 private:
  const graph::Rewriter& r_;
  std::vector<graph::NodeId> nodes_;
};

// The one element of a constant whose rank does not widen the result of an operation with `like`.
std::optional<double> scalar_beside(const graph::Rewriter& r, graph::ValueId id,
                                    graph::ValueId like);
// The node's two inputs as a value and a scalar constant, in either order.
struct Scaled {
  graph::ValueId value = graph::kNoValue;
  double scalar = 0;
};
std::optional<Scaled> with_scalar(const graph::Rewriter& r, const graph::Node& node);
// Of a node with two inputs, the one that is not `known`; both may be `known`. kNoValue where
// neither is.
graph::ValueId other_input(const graph::Node& node, graph::ValueId known);
// The one node that reads the value, once; null where there are more, or it is an output.
const graph::Node* only_user(const graph::Rewriter& r, graph::ValueId id, graph::NodeId* at);

// A reduction over constant axes of an operand of known rank that keeps the reduced axes, or has
// them put back by a Reshape or Unsqueeze.
struct Reduced {
  graph::ValueId of = graph::kNoValue;
  std::vector<int64_t> axes;  // ascending, from 0
};
std::optional<Reduced> reduced_by(const graph::Rewriter& r, Pattern& pattern, graph::ValueId id,
                                  const OpDef& op);
// The first of the axes where they are the last ones, axes of size 1 apart; nothing otherwise.
std::optional<size_t> trailing_from(std::span<const int64_t> axes, const Dims& dims);

// Whether both are of known rank, the same sizes (provably) and the same element type.
bool same_type(const graph::Rewriter& r, graph::ValueId a, graph::ValueId b);
// f16, bf16, f32: what the fused operators are for.
bool is_computed(const graph::Rewriter& r, graph::ValueId id);
// What an f16 or bf16 spelling's constants may be off, or an f32 one's.
double tolerance_of(DType type);
bool is_close(double value, double wanted, double tolerance);
// The value that a Cast from f16 or bf16 widens; kNoValue where there is none. It is not taken into
// any match: others may read it too.
graph::ValueId widened_from(const graph::Rewriter& r, graph::ValueId id);

// `id`, which multiplies or shifts rows of `x` normalised from `axis` on, in the very shape of a
// row: itself, or, where it is a constant, without leading axes of size 1, or one number spread.
// kNoValue where it has another shape.
graph::ValueId row_vector(graph::Rewriter& r, graph::ValueId id, graph::ValueId x, size_t axis);
// Whether row_vector() would have an answer.
bool is_row_vector(const graph::Rewriter& r, graph::ValueId id, graph::ValueId x, size_t axis);
// Ones of a row's shape and x's type; kNoValue where the shape is not fixed.
graph::ValueId row_of_ones(graph::Rewriter& r, graph::ValueId x, size_t axis);

}  // namespace tenon::passes
