// Activations written out: Sigmoid, Softplus and Softsign, then what multiplies x by such a gate
// (Swish, HardSwish, Mish), and HardSigmoid written with Clip.
#include "graph/passes/catalog.h"
#include "graph/passes/polynomial.h"
#include "ops/math/catalog.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

void give(Rewriter& r, ValueId y, const OpDef& op, ValueId x, const Attrs& attrs = {}) {
  r.at(r.producer(y));
  r.replace(y, r.add(op, {x}, attrs));
}

// `value` as 1 + e^(sign*x): x, or kNoValue.
ValueId one_plus_exp(Rewriter& r, Pattern& pattern, ValueId value, double sign) {
  const Node* sum = pattern.take(value, op::Add);
  const auto parts = sum ? with_scalar(r, *sum) : std::nullopt;
  if (!parts || parts->scalar != 1) return kNoValue;
  const Node* exp = pattern.take(parts->value, op::Exp);
  if (!exp) return kNoValue;
  const ValueId argument = exp->inputs[0];
  if (sign > 0) return argument;
  if (const Node* neg = pattern.take(argument, op::Neg)) return neg->inputs[0];
  const Node* times = pattern.take(argument, op::Mul);
  const auto factor = times ? with_scalar(r, *times) : std::nullopt;
  return factor && factor->scalar == -1 ? factor->value : kNoValue;
}

// x / (1 + e^-x), 1 / (1 + e^-x) and x / (1 + |x|).
bool fuse_quotient(Rewriter& r, NodeId n) {
  const Node& node = r.node(n);
  const ValueId y = node.outputs[0];
  const bool inverse = node.op == &op::Reciprocal;
  const ValueId top = inverse ? kNoValue : node.inputs[0];
  const ValueId below = node.inputs[inverse ? 0 : 1];
  Pattern pattern(r);
  pattern.take(n);
  const size_t mark = pattern.mark();
  if (const ValueId x = one_plus_exp(r, pattern, below, -1);
      x != kNoValue && pattern.closed(y) && same_type(r, x, y)) {
    if (top == x) return give(r, y, op::Swish, x), true;
    if (inverse || scalar_beside(r, top, below) == 1.0) return give(r, y, op::Sigmoid, x), true;
    return false;
  }
  pattern.back(mark);
  const Node* sum = inverse ? nullptr : pattern.take(below, op::Add);
  const auto parts = sum ? with_scalar(r, *sum) : std::nullopt;
  if (!parts || parts->scalar != 1) return false;
  const Node* abs = pattern.take(parts->value, op::Abs);
  if (!abs || abs->inputs[0] != top || !pattern.closed(y) || !same_type(r, top, y)) return false;
  give(r, y, op::Softsign, top);
  return true;
}

bool fuse_log(Rewriter& r, NodeId n) {
  const ValueId y = r.node(n).outputs[0];
  Pattern pattern(r);
  pattern.take(n);
  const ValueId x = one_plus_exp(r, pattern, r.node(n).inputs[0], 1);
  if (x == kNoValue || !pattern.closed(y) || !same_type(r, x, y)) return false;
  give(r, y, op::Softplus, x);
  return true;
}

// Calls found(x, argument as a polynomial of x, above) for each x that the gate's argument may be
// written in, until that says true.
template <class Found>
bool each_variable(Rewriter& r, NodeId gate, Found found) {
  const ValueId argument = r.node(gate).inputs[0];
  for (const ValueId x : variables_of(r, argument)) {
    Pattern pattern(r);
    pattern.take(gate);
    const auto inner = Polynomial::of(r, pattern, argument, x);
    if (inner && found(x, *inner, pattern)) return true;
  }
  return false;
}

// The first value above the gate that is factor * x^i * gate and closes the match; else kNoValue.
ValueId times_gate(Rewriter& r, Pattern& pattern, ValueId x, ValueId gate, size_t i, double factor,
                   double tolerance) {
  for (const ValueId y : arithmetic_above(r, gate)) {
    const size_t mark = pattern.mark();
    const auto outer = Polynomial::of(r, pattern, y, x, gate);
    if (outer && outer->is({{i, 1, factor}}, tolerance) && pattern.closed(y)) return y;
    pattern.back(mark);
  }
  return kNoValue;
}

// x * gate, where the gate is 6 times HardSigmoid and the division has gone elsewhere (into the
// weights that follow).
bool fuse_undivided(Rewriter& r, Pattern& pattern, ValueId x, ValueId gate, double high) {
  const ValueId y = times_gate(r, pattern, x, gate, 1, 1, 1e-6);
  if (y == kNoValue || high == 1) return false;
  r.at(r.producer(y));
  const ValueId swish = r.add(op::HardSwish, {x});
  r.replace(y, r.add(op::Mul, {swish, r.constant(Tensor::scalar(high, r.type(x).dtype))}));
  return true;
}

bool fuse_sigmoid(Rewriter& r, NodeId n) {
  const ValueId gate = r.node(n).outputs[0];
  return each_variable(r, n, [&](ValueId x, const Polynomial& inner, Pattern& pattern) {
    const double alpha = inner(1);
    if (alpha == 0 || !inner.is({{1, 0, alpha}}, 0)) return false;
    const ValueId y = times_gate(r, pattern, x, gate, 1, 1, 1e-6);
    if (y == kNoValue) return false;
    give(r, y, op::Swish, x, alpha == 1 ? Attrs{} : Attrs{{"alpha", alpha}});
    return true;
  });
}

bool fuse_hard_sigmoid(Rewriter& r, NodeId n) {
  const ValueId gate = r.node(n).outputs[0], x = r.node(n).inputs[0];
  const Call call{op::HardSigmoid, r.node(n).attrs};
  const double tolerance = tolerance_of(r.type(x).dtype);
  if (!is_close(call.f("alpha"), 1.0 / 6, tolerance) || !is_close(call.f("beta"), 0.5, tolerance))
    return false;
  Pattern pattern(r);
  pattern.take(n);
  const ValueId y = times_gate(r, pattern, x, gate, 1, 1, 1e-6);
  if (y == kNoValue) return false;
  give(r, y, op::HardSwish, x);
  return true;
}

// Clip(a*x + b, 0, m): HardSwish where it is multiplied by x/m, and HardSigmoid where by 1/m.
bool fuse_clip(Rewriter& r, NodeId n) {
  const Node& clip = r.node(n);
  if (clip.inputs.size() < 3) return false;
  const auto low = r.scalar(clip.inputs[1]), high = r.scalar(clip.inputs[2]);
  if (low != 0.0 || !high || *high <= 0) return false;
  const ValueId gate = clip.outputs[0];
  const double tolerance = tolerance_of(r.type(gate).dtype);
  return each_variable(r, n, [&](ValueId x, const Polynomial& inner, Pattern& pattern) {
    const double alpha = inner(1) / *high, beta = inner(0) / *high;
    if (alpha == 0 || beta == 0 || !inner.is({{1, 0, inner(1)}, {0, 0, inner(0)}}, 0)) return false;
    if (is_close(alpha, 1.0 / 6, tolerance) && is_close(beta, 0.5, tolerance)) {
      const ValueId y = times_gate(r, pattern, x, gate, 1, 1 / *high, tolerance);
      if (y != kNoValue) return give(r, y, op::HardSwish, x), true;
      if (fuse_undivided(r, pattern, x, gate, *high)) return true;
    }
    const ValueId y = *high == 1 && pattern.closed(gate)
                          ? gate
                          : times_gate(r, pattern, x, gate, 0, 1 / *high, tolerance);
    if (y == kNoValue) return false;
    give(r, y, op::HardSigmoid, x, {{"alpha", alpha}, {"beta", beta}});
    return true;
  });
}

bool fuse_mish(Rewriter& r, NodeId n) {
  Pattern pattern(r);
  pattern.take(n);
  const Node* softplus = pattern.take(r.node(n).inputs[0], op::Softplus);
  if (!softplus) return false;
  const ValueId x = softplus->inputs[0];
  const ValueId y = times_gate(r, pattern, x, r.node(n).outputs[0], 1, 1, 1e-6);
  if (y == kNoValue) return false;
  give(r, y, op::Mish, x);
  return true;
}

using Fuse = bool (*)(Rewriter& r, NodeId n);

void for_each(Rewriter& r, const OpDef& op, Fuse fuse) {
  for (NodeId n : r.nodes())
    if (r.alive(n) && r.node(n).op == &op && is_computed(r, r.node(n).outputs[0])) fuse(r, n);
}

void run(Rewriter& r) {
  for_each(r, op::Div, fuse_quotient);
  for_each(r, op::Reciprocal, fuse_quotient);
  for_each(r, op::Log, fuse_log);
  for_each(r, op::Sigmoid, fuse_sigmoid);
  for_each(r, op::HardSigmoid, fuse_hard_sigmoid);
  for_each(r, op::Clip, fuse_clip);
  for_each(r, op::Tanh, fuse_mish);
}

}  // namespace

constinit const Pass fuse_swish{
    "fuse_swish",
    "Swish, HardSwish, HardSigmoid, Mish, Sigmoid, Softplus and Softsign written out become one "
    "operator each.",
    run};

}  // namespace tenon::passes
