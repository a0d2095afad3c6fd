// Algebra: neutral and repeated elements, constants joined, powers, casts and double negations.
#include <algorithm>
#include <cmath>
#include <span>

#include "graph/facts.h"
#include "graph/passes/catalog.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "runtime/dispatch.h"

namespace tenon::passes {

namespace {

using graph::call_of;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::uniform;
using graph::ValueId;

// -- One input -----------------------------------------------------------------------------------

// f(f(x)) = x.
constexpr const OpDef* kSelfInverse[] = {&op::Neg, &op::Not, &op::BitwiseNot};
// f(g(x)) = g(x) for all pairs of a list.
constexpr const OpDef* kRoundings[] = {&op::Ceil, &op::Floor, &op::Round};
constexpr const OpDef* kPositive[] = {&op::Abs, &op::Relu};

bool is_one_of(const OpDef* op, std::span<const OpDef* const> list) {
  return std::ranges::find(list, op) != list.end();
}

void simplify_unary(Rewriter& r, NodeId n) {
  const Node& node = r.node(n);
  const OpDef* op = node.op;
  const ValueId x = node.inputs[0], y = node.outputs[0];
  const NodeId maker = r.producer(x);
  if (maker < 0) return;
  const Node& inner = r.node(maker);
  // The lowest integer has no absolute value.
  const bool may_be_negative =
      op == &op::Relu && inner.op == &op::Abs && !is_float(r.type(x).dtype);
  if (inner.op == op && is_one_of(op, kSelfInverse)) return r.replace(y, inner.inputs[0]);
  for (const std::span<const OpDef* const> list :
       {std::span<const OpDef* const>(kRoundings), std::span<const OpDef* const>(kPositive)})
    if (is_one_of(op, list) && is_one_of(inner.op, list) && !may_be_negative)
      return r.replace(y, x);
  if (op == &op::Sign && inner.op == &op::Sign) return r.replace(y, x);
  if (op == &op::Abs && inner.op == &op::Neg) {
    const ValueId source = inner.inputs[0];
    r.at(n);
    r.replace(y, r.add(op::Abs, {source}));
  }
}

// -- Cast ----------------------------------------------------------------------------------------

// Whether every number of `from` is one of `to`.
bool holds(DType to, DType from) {
  if (from == to) return true;
  const auto bits = [](DType type) { return static_cast<int>(8 * size_of(type)); };
  // Significant binary digits of floats.
  const auto digits = [](DType type) {
    return type == DType::f64 ? 53 : type == DType::f32 ? 24 : type == DType::f16 ? 11 : 8;
  };
  if (from == DType::boolean) return kNumeric.has(to);
  if (!kNumeric.has(from) || !kNumeric.has(to)) return false;
  if (is_float(from)) return is_float(to) && bits(to) > bits(from);
  const int magnitude = bits(from) - (is_signed_int(from) ? 1 : 0);
  if (is_float(to)) return magnitude <= digits(to);
  if (is_unsigned_int(to)) return is_unsigned_int(from) && bits(to) >= bits(from);
  return bits(to) - 1 >= magnitude;
}

// Cast(Cast(x)) where the first changed no number.
void simplify_cast(Rewriter& r, NodeId n) {
  const Node& node = r.node(n);
  const Node* inner = r.made_by(node.inputs[0], op::Cast);
  if (!inner) return;
  const ValueId x = inner->inputs[0], y = node.outputs[0];
  const DType from = r.type(x).dtype, middle = r.type(node.inputs[0]).dtype, to = r.type(y).dtype;
  if (!(kNumeric | kBool).has(to) || !holds(middle, from)) return;
  // Integers wrap around where floats saturate.
  if (is_int(from) && is_float(middle) && is_int(to) && !holds(to, from)) return;
  if (from == to) return r.replace(y, x);
  const Attrs attrs = node.attrs;
  r.at(n);
  r.replace(y, r.add(op::Cast, {x}, attrs));
}

// -- Two inputs
// ------------------------------------------------------------------------------------

// A result that is an input as it stands: of its type and shape.
bool replace_by(Rewriter& r, ValueId y, ValueId x) {
  if (r.type(x).dtype != r.type(y).dtype || !graph::same_shape(r, x, y)) return false;
  r.replace(y, x);
  return true;
}

void negate(Rewriter& r, NodeId n, ValueId x) {
  const ValueId y = r.node(n).outputs[0];
  const DType type = r.type(x).dtype;
  if (!(kFloats | kSignedInts).has(type) || !graph::same_shape(r, x, y)) return;
  r.at(n);
  r.replace(y, r.add(op::Neg, {x}));
}

// x + 0, x - 0, x * 1, x / 1, x and true, x or false, x xor false; 0 - x and x * -1 negate.
bool drop_neutral(Rewriter& r, NodeId n) {
  const Node& node = r.node(n);
  const OpDef* op = node.op;
  const ValueId a = node.inputs[0], b = node.inputs[1], y = node.outputs[0];
  const bool additive = op == &op::Add || op == &op::Sub || op == &op::Or || op == &op::Xor;
  const bool commutes = op != &op::Sub && op != &op::Div;
  const double neutral = additive ? 0 : 1;
  if (uniform(r, b) == neutral && replace_by(r, y, a)) return true;
  if (commutes && uniform(r, a) == neutral && replace_by(r, y, b)) return true;
  if ((op == &op::Mul || op == &op::Div) && uniform(r, b) == -1.0) {
    negate(r, n, a);
  } else if ((op == &op::Mul && uniform(r, a) == -1.0) ||
             (op == &op::Sub && uniform(r, a) == 0.0)) {
    negate(r, n, b);
  }
  return !r.alive(n);
}

// a + -b = a - b, a - -b = a + b.
bool drop_negation(Rewriter& r, NodeId n) {
  const Node& node = r.node(n);
  const OpDef* op = node.op;
  const ValueId a = node.inputs[0], b = node.inputs[1], y = node.outputs[0];
  const OpDef& other = op == &op::Add ? op::Sub : op::Add;
  const auto negated = [&](ValueId id) {
    const Node* found = r.used_once(id) ? r.made_by(id, op::Neg) : nullptr;
    return found ? found->inputs[0] : graph::kNoValue;
  };
  if (const ValueId x = negated(b); x != graph::kNoValue) {
    r.at(n);
    r.replace(y, r.add(other, {a, x}));
  } else if (const ValueId z = negated(a); z != graph::kNoValue && op == &op::Add) {
    r.at(n);
    r.replace(y, r.add(op::Sub, {b, z}));
  }
  return !r.alive(n);
}

// A sum or product of something and a constant: x o c, where o is + or -, * or /.
struct Term {
  ValueId x;
  ValueId c;
  bool inverse;  // - or /
};

std::optional<Term> term_of(const Rewriter& r, const Node& node) {
  const bool inverse = node.op == &op::Sub || node.op == &op::Div;
  const ValueId a = node.inputs[0], b = node.inputs[1];
  if (r.constant(b) && !r.constant(a)) return Term{a, b, inverse};
  if (r.constant(a) && !r.constant(b) && !inverse) return Term{b, a, false};
  return std::nullopt;
}

double greatest(const Tensor& tensor) {
  double most = 0;
  for (const double v : tensor.to_vector<double>()) most = std::fmax(most, std::fabs(v));
  return most;
}

// A product that overflows or vanishes is not what the two steps give; and x + 2^23 - 2^23 is how
// some round.
bool is_safe(const Tensor& joined, const Tensor& c1, const Tensor& c2, bool sums) {
  if (!is_float(joined.dtype())) return true;
  if (sums && greatest(joined) < 0.01 * std::fmax(greatest(c1), greatest(c2))) return false;
  const double least = sums ? 0 : joined.dtype() == DType::f16 ? 0x1p-14 : 1e-30;
  const std::vector<double> values = joined.to_vector<double>();
  return std::ranges::all_of(values,
                             [&](double v) { return std::isfinite(v) && std::fabs(v) >= least; });
}

// x * g(x): what follows belongs to an activation (the division by 6 of HardSwish), which is worth
// more whole.
bool is_gated(const Rewriter& r, ValueId id) {
  const Node* product = r.made_by(id, op::Mul);
  return product && !r.constant(product->inputs[0]) && !r.constant(product->inputs[1]);
}

// (x o c1) o c2 = x o (c1 o c2).
void join_constants(Rewriter& r, NodeId n) {
  const Node& node = r.node(n);
  const bool sums = node.op == &op::Add || node.op == &op::Sub;
  const auto outer = term_of(r, node);
  if (!outer || !r.used_once(outer->x) || r.producer(outer->x) < 0) return;
  const Node& before = r.node(r.producer(outer->x));
  const bool same_kind = sums ? before.op == &op::Add || before.op == &op::Sub
                              : before.op == &op::Mul || before.op == &op::Div;
  if (!same_kind) return;
  const auto inner = term_of(r, before);
  if (inner && !sums && is_gated(r, inner->x)) return;
  const Tensor* c1 = inner ? r.constant(inner->c) : nullptr;
  const Tensor* c2 = r.constant(outer->c);
  if (!c1) return;
  const bool divides = !sums && (inner->inverse || outer->inverse);
  if (!is_float(c1->dtype()) && (!is_int(c1->dtype()) || divides)) return;  // integers round
  const OpDef& forward = sums ? op::Add : op::Mul;
  const OpDef& backward = sums ? op::Sub : op::Div;
  Tensor joined;
  bool inverse = false;
  {
    const NoGrad no_grad;
    if (inner->inverse == outer->inverse) {
      joined = forward(*c1, *c2);
      inverse = inner->inverse;
    } else {
      joined = inner->inverse ? backward(*c2, *c1) : backward(*c1, *c2);
    }
  }
  if (joined.numel() > std::max(c1->numel(), c2->numel())) return;
  if (!is_safe(joined, *c1, *c2, sums)) return;
  const ValueId x = inner->x, y = node.outputs[0];
  r.at(n);
  r.replace(y, r.add(inverse ? backward : forward, {x, r.constant(joined.contiguous())}));
}

void simplify_pow(Rewriter& r, NodeId n) {
  const Node& node = r.node(n);
  const ValueId x = node.inputs[0], y = node.outputs[0];
  const std::optional<double> power = uniform(r, node.inputs[1]);
  if (!power || !graph::same_shape(r, x, y)) return;
  if (*power == 1) return r.replace(y, x);
  if (!is_float(r.type(x).dtype)) return;
  r.at(n);
  if (*power == 2) r.replace(y, r.add(op::Mul, {x, x}));
  if (*power == 0.5) r.replace(y, r.add(op::Sqrt, {x}));
  if (*power == -1) r.replace(y, r.add(op::Reciprocal, {x}));
}

void run(Rewriter& r) {
  constexpr const OpDef* kNeutral[] = {&op::Add, &op::Sub, &op::Mul, &op::Div,
                                       &op::And, &op::Or,  &op::Xor};
  for (const NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    const OpDef* op = r.node(n).op;
    if (op == &op::Cast) {
      simplify_cast(r, n);
    } else if (op == &op::Pow) {
      simplify_pow(r, n);
    } else if (is_one_of(op, kNeutral)) {
      if (drop_neutral(r, n)) continue;
      if (op != &op::Add && op != &op::Sub && op != &op::Mul && op != &op::Div) continue;
      if ((op == &op::Add || op == &op::Sub) && drop_negation(r, n)) continue;
      join_constants(r, n);
    } else if (r.node(n).inputs.size() == 1) {
      simplify_unary(r, n);
    }
  }
}

}  // namespace

constinit const Pass simplify{
    "simplify", "x * 1, x + 0, x * a * b, Pow(x, 2), Neg(Neg(x)), Cast(Cast(x)) and their like.",
    run};

}  // namespace tenon::passes
