#include "graph/passes/polynomial.h"

#include <algorithm>
#include <cmath>

#include "ops/math/catalog.h"

namespace tenon::passes {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

namespace {

constexpr int kMaxDepth = 8;

bool is_arithmetic(const Node& node) {
  return node.op == &op::Add || node.op == &op::Sub || node.op == &op::Mul || node.op == &op::Div ||
         node.op == &op::Neg;
}

}  // namespace

struct Polynomial::Reader {
  const Rewriter& r;
  Pattern& pattern;
  ValueId x, t;

  static Polynomial one(size_t i, size_t j, double coefficient) {
    Polynomial p;
    p.terms_[i][j] = coefficient;
    return p;
  }

  static Polynomial sum(const Polynomial& a, const Polynomial& b, double factor) {
    Polynomial c = a;
    for (size_t i = 0; i <= kMaxPower; ++i)
      for (size_t j = 0; j <= kMaxPower; ++j) c.terms_[i][j] += factor * b.terms_[i][j];
    return c;
  }

  static std::optional<Polynomial> product(const Polynomial& a, const Polynomial& b) {
    Polynomial c;
    for (size_t i = 0; i <= kMaxPower; ++i)
      for (size_t j = 0; j <= kMaxPower; ++j) {
        if (a.terms_[i][j] == 0) continue;
        for (size_t k = 0; k <= kMaxPower; ++k)
          for (size_t l = 0; l <= kMaxPower; ++l) {
            if (b.terms_[k][l] == 0) continue;
            if (i + k > kMaxPower || j + l > kMaxPower) return std::nullopt;
            c.terms_[i + k][j + l] += a.terms_[i][j] * b.terms_[k][l];
          }
      }
    return c;
  }

  std::optional<Polynomial> power(const Node& node, int depth) {
    const auto exponent = scalar_beside(r, node.inputs[1], node.inputs[0]);
    if (!exponent || (*exponent != 1 && *exponent != 2 && *exponent != 3)) return std::nullopt;
    const auto base = read(node.inputs[0], depth - 1);
    auto result = base;
    for (int i = 1; result && i < static_cast<int>(*exponent); ++i)
      result = product(*result, *base);
    return result;
  }

  std::optional<Polynomial> read(ValueId value, int depth) {
    if (value == x) return one(1, 0, 1);
    if (value == t) return one(0, 1, 1);
    if (const auto scalar = scalar_beside(r, value, x)) return one(0, 0, *scalar);
    if (depth == 0 || r.producer(value) < 0) return std::nullopt;
    const Node& node = r.node(r.producer(value));
    const bool is_power = node.op == &op::Pow;
    if (!is_arithmetic(node) && !is_power) return std::nullopt;
    pattern.take(r.producer(value));
    if (is_power) return power(node, depth);
    const auto a = read(node.inputs[0], depth - 1);
    if (!a) return std::nullopt;
    if (node.op == &op::Neg) return sum({}, *a, -1);
    if (node.op == &op::Div) {
      const auto divisor = scalar_beside(r, node.inputs[1], x);
      if (!divisor || *divisor == 0) return std::nullopt;
      return sum({}, *a, 1 / *divisor);
    }
    const auto b = read(node.inputs[1], depth - 1);
    if (!b) return std::nullopt;
    if (node.op == &op::Mul) return product(*a, *b);
    return sum(*a, *b, node.op == &op::Add ? 1 : -1);
  }
};

std::optional<Polynomial> Polynomial::of(const Rewriter& r, Pattern& pattern, ValueId value,
                                         ValueId x, ValueId t) {
  const size_t mark = pattern.mark();
  auto found = Reader{r, pattern, x, t}.read(value, kMaxDepth);
  if (!found) pattern.back(mark);
  return found;
}

bool Polynomial::is(std::initializer_list<Term> terms, double tolerance) const {
  double size = 0;
  for (const Term& term : terms) size = std::max(size, std::abs(term.coefficient));
  for (size_t i = 0; i <= kMaxPower; ++i)
    for (size_t j = 0; j <= kMaxPower; ++j) {
      const auto* wanted = std::find_if(
          terms.begin(), terms.end(), [&](const Term& term) { return term.i == i && term.j == j; });
      if (wanted == terms.end() ? std::abs(terms_[i][j]) > 1e-9 * size
                                : !is_close(terms_[i][j], wanted->coefficient, tolerance))
        return false;
    }
  return true;
}

std::vector<ValueId> variables_of(const Rewriter& r, ValueId value) {
  constexpr size_t kMost = 16;
  std::vector<ValueId> open{value}, seen{value}, found;
  while (!open.empty() && seen.size() < 4 * kMost) {
    const ValueId next = open.back();
    open.pop_back();
    if (r.constant(next)) continue;
    const NodeId maker = r.producer(next);
    const Node* node = maker >= 0 ? &r.node(maker) : nullptr;
    const bool inner = node && (is_arithmetic(*node) || node->op == &op::Pow);
    if ((!inner || r.users(next).size() > 1) && found.size() < kMost) found.push_back(next);
    if (!inner) continue;
    for (ValueId input : node->inputs)
      if (input != kNoValue && std::ranges::find(seen, input) == seen.end()) {
        seen.push_back(input);
        open.push_back(input);
      }
  }
  return found;
}

std::vector<ValueId> arithmetic_above(const Rewriter& r, ValueId t) {
  std::vector<ValueId> found;
  while (found.size() < kMaxDepth) {
    const Node* user = only_user(r, t, nullptr);
    // A reader that takes it twice is its only reader, too.
    if (!user && r.users(t).size() == 2 && r.users(t)[0] == r.users(t)[1] && !r.is_output(t))
      user = &r.node(r.users(t)[0]);
    if (!user || !is_arithmetic(*user)) break;
    t = user->outputs[0];
    found.push_back(t);
  }
  return found;
}

}  // namespace tenon::passes
