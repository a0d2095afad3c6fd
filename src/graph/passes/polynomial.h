// Sums and products of one or two values and constants, whatever order and operators they are
// written in: 0.5*x*(1+t), x*(t+1)/2 and 0.5*x + 0.5*(x*t) are one polynomial.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "graph/passes/pattern.h"

namespace tenon::passes {

class Polynomial {
 public:
  static constexpr size_t kMaxPower = 3;

  // A coefficient times x^i * t^j.
  struct Term {
    size_t i, j;
    double coefficient;
  };

  // `value` in terms of `x` and `t` (which may be absent), through Add, Sub, Mul, Div, Neg and Pow
  // with constants; the nodes in between join the match. Nothing where it depends on anything else,
  // or on powers above 3.
  static std::optional<Polynomial> of(const graph::Rewriter& r, Pattern& pattern,
                                      graph::ValueId value, graph::ValueId x,
                                      graph::ValueId t = graph::kNoValue);

  double operator()(size_t i, size_t j = 0) const { return terms_[i][j]; }
  // Whether these are all its terms, each within the relative tolerance.
  bool is(std::initializer_list<Term> terms, double tolerance) const;

 private:
  struct Reader;

  std::array<std::array<double, kMaxPower + 1>, kMaxPower + 1> terms_{};
};

// Values that `value` may be a polynomial of: those that several nodes read, or that no arithmetic
// with constants makes.
std::vector<graph::ValueId> variables_of(const graph::Rewriter& r, graph::ValueId value);

// From `t` upwards through the only reader of each value, while that is Add, Sub, Mul, Div or Neg:
// the values on the way, `t` itself not among them, at most 8.
std::vector<graph::ValueId> arithmetic_above(const graph::Rewriter& r, graph::ValueId t);

}  // namespace tenon::passes
