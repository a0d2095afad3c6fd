// x * P(N <= x) in all its spellings: by erf and by tanh.
#include <numbers>

#include "graph/passes/catalog.h"
#include "graph/passes/polynomial.h"
#include "ops/math/catalog.h"

namespace tenon::passes {

namespace {

using graph::Rewriter;
using graph::ValueId;

constexpr double kCubic = 0.044715;
constexpr double kScale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;  // sqrt(2 / pi)

// The argument that erf or tanh has in Gelu.
bool is_argument(const Polynomial& p, bool by_tanh, double tolerance) {
  if (by_tanh) return p.is({{1, 0, kScale}, {3, 0, kScale * kCubic}}, tolerance);
  return p.is({{1, 0, 1 / std::numbers::sqrt2}}, tolerance);
}

// Replaces the Gelu whose Erf or Tanh is node n.
bool fuse(Rewriter& r, graph::NodeId n, bool by_tanh) {
  const ValueId t = r.node(n).outputs[0], argument = r.node(n).inputs[0];
  const double tolerance = tolerance_of(r.type(t).dtype);
  for (const ValueId x : variables_of(r, argument)) {
    Pattern pattern(r);
    pattern.take(n);
    const auto inner = Polynomial::of(r, pattern, argument, x);
    if (!inner || !is_argument(*inner, by_tanh, tolerance)) continue;
    for (const ValueId y : arithmetic_above(r, t)) {
      const size_t mark = pattern.mark();
      const auto outer = Polynomial::of(r, pattern, y, x, t);
      if (outer && outer->is({{1, 0, 0.5}, {1, 1, 0.5}}, tolerance) && pattern.closed(y)) {
        r.at(r.producer(y));
        r.replace(y, r.add(op::Gelu, {x}, by_tanh ? Attrs{{"approximate", "tanh"}} : Attrs{}));
        return true;
      }
      pattern.back(mark);
    }
  }
  return false;
}

void run(Rewriter& r) {
  for (graph::NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    const OpDef* op = r.node(n).op;
    if ((op == &op::Erf || op == &op::Tanh) && is_computed(r, r.node(n).outputs[0]))
      fuse(r, n, op == &op::Tanh);
  }
}

}  // namespace

constinit const Pass fuse_gelu{"fuse_gelu",
                               "Gelu written out with Erf or Tanh becomes one operator.", run};

}  // namespace tenon::passes
