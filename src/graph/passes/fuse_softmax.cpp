// Softmax and LogSoftmax written out with Exp and sums.
#include "graph/passes/catalog.h"
#include "graph/passes/pattern.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/reduce/catalog.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

struct Exponentials {
  ValueId x = kNoValue;
  int64_t axis = 0;
};

// x where `value` is x minus its maximum along the axis; else `value` itself.
ValueId without_maximum(const Rewriter& r, Pattern& pattern, ValueId value, int64_t axis) {
  const size_t mark = pattern.mark();
  if (const Node* difference = pattern.take(value, op::Sub)) {
    const ValueId x = difference->inputs[0];
    const auto max = reduced_by(r, pattern, difference->inputs[1], op::ReduceMax);
    if (max && max->of == x && max->axes == std::vector{axis}) return x;
  }
  pattern.back(mark);
  return value;
}

// `sum` as the sum of Exp(x - max(x)) along one axis, where `exps` (unless absent) are those.
std::optional<Exponentials> sum_of_exponentials(const Rewriter& r, Pattern& pattern, ValueId sum,
                                                ValueId exps) {
  const auto total = reduced_by(r, pattern, sum, op::ReduceSum);
  if (!total || total->axes.size() != 1 || (exps != kNoValue && total->of != exps))
    return std::nullopt;
  const Node* exp = pattern.take(total->of, op::Exp);
  if (!exp) return std::nullopt;
  return Exponentials{without_maximum(r, pattern, exp->inputs[0], total->axes[0]), total->axes[0]};
}

void give(Rewriter& r, ValueId y, const OpDef& op, const Exponentials& found) {
  const auto rank = static_cast<int64_t>(r.type(found.x).dims.size());
  const int64_t axis = found.axis == rank - 1 ? -1 : found.axis;
  r.at(r.producer(y));
  r.replace(y, r.add(op, {found.x}, {{"axis", axis}}));
}

// Exp(x - max) / sum, or times its reciprocal.
void fuse_quotient(Rewriter& r, NodeId n) {
  const Node& node = r.node(n);
  const ValueId y = node.outputs[0];
  for (const size_t top : {0, 1}) {
    if (top == 1 && node.op == &op::Div) break;
    Pattern pattern(r);
    pattern.take(n);
    ValueId below = node.inputs[1 - top];
    if (node.op == &op::Mul) {
      const Node* inverse = pattern.take(below, op::Reciprocal);
      if (!inverse) continue;
      below = inverse->inputs[0];
    }
    const auto found = sum_of_exponentials(r, pattern, below, node.inputs[top]);
    if (!found || !pattern.closed(y) || !same_type(r, found->x, y)) continue;
    give(r, y, op::Softmax, *found);
    return;
  }
}

void fuse_log(Rewriter& r, NodeId n) {
  const ValueId y = r.node(n).outputs[0];
  Pattern pattern(r);
  pattern.take(n);
  const Node* softmax = pattern.take(r.node(n).inputs[0], op::Softmax);
  if (!softmax || !pattern.closed(y)) return;
  const ValueId x = softmax->inputs[0];
  const Attrs attrs = softmax->attrs;
  r.at(n);
  r.replace(y, r.add(op::LogSoftmax, {x}, attrs));
}

// (x - max) - Log(sum), and x - ReduceLogSumExp(x).
void fuse_difference(Rewriter& r, NodeId n) {
  const ValueId y = r.node(n).outputs[0], top = r.node(n).inputs[0], taken = r.node(n).inputs[1];
  Pattern pattern(r);
  pattern.take(n);
  Exponentials found;
  if (const auto total = reduced_by(r, pattern, taken, op::ReduceLogSumExp)) {
    if (total->axes.size() != 1 || total->of != top) return;
    found = {top, total->axes[0]};
  } else if (const Node* log = pattern.take(taken, op::Log)) {
    const auto exps = sum_of_exponentials(r, pattern, log->inputs[0], kNoValue);
    // Both have the maximum taken off, or neither.
    const Node* exp =
        exps ? r.made_by(r.made_by(log->inputs[0], op::ReduceSum)->inputs[0], op::Exp) : nullptr;
    if (!exp || exp->inputs[0] != top) return;
    found = *exps;
  } else {
    return;
  }
  if (pattern.closed(y) && same_type(r, found.x, y)) give(r, y, op::LogSoftmax, found);
}

void run(Rewriter& r) {
  for (NodeId n : r.nodes()) {
    if (!r.alive(n) || !is_computed(r, r.node(n).outputs[0])) continue;
    const OpDef* op = r.node(n).op;
    if (op == &op::Div || op == &op::Mul) fuse_quotient(r, n);
    if (op == &op::Sub) fuse_difference(r, n);
  }
  for (NodeId n : r.nodes())
    if (r.alive(n) && r.node(n).op == &op::Log) fuse_log(r, n);
}

}  // namespace

constinit const Pass fuse_softmax{"fuse_softmax",
                                  "Softmax and LogSoftmax written out become one operator.", run};

}  // namespace tenon::passes
