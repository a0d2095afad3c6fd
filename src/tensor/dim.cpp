// The algebra of Dims: sums, products, floor division, evaluation.
#include "tensor/dim.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <set>

#include "base/error.h"
#include "tensor/dim_poly.h"

namespace tenon {
namespace dim {
namespace {

// A product of sums past this is given up on: it becomes an unknown, which is always right.
constexpr size_t kMaxTerms = 256;

struct AtomOrder {
  template <class Pointer>
  bool operator()(const Pointer& a, const Pointer& b) const {
    return compare(*a, *b) < 0;
  }
};

[[noreturn]] void fail_overflow(int64_t a, char operation, int64_t b) {
  fail(ErrorKind::resource, "dim: {} {} {} exceeds 64 bits; use smaller sizes", a, operation, b);
}

bool divides(const Monomial& divisor, const Monomial& product) {
  return std::includes(product.begin(), product.end(), divisor.begin(), divisor.end(), AtomOrder{});
}

Monomial without(const Monomial& product, const Monomial& divisor) {
  Monomial rest;
  std::set_difference(product.begin(), product.end(), divisor.begin(), divisor.end(),
                      std::back_inserter(rest), AtomOrder{});
  return rest;
}

Term constant(int64_t value) { return {{}, value}; }

Dim floor_atom(const Terms& numerator, const Terms& divisor) {
  auto atom = std::make_shared<const Atom>(Atom{
      .kind = Atom::Kind::floor_div, .numerator = to_dim(numerator), .divisor = to_dim(divisor)});
  return to_dim({{{std::move(atom)}, 1}});
}

// Cancels a product that all terms of both have in common; it is not 0 where the division is
// defined.
void cancel_common(Terms& a, Terms& b) {
  Monomial common = a.front().monomial;
  int64_t factor = 0;
  for (const Terms* terms : {&a, &b}) {
    for (const Term& term : *terms) {
      Monomial both;
      std::set_intersection(common.begin(), common.end(), term.monomial.begin(),
                            term.monomial.end(), std::back_inserter(both), AtomOrder{});
      common = std::move(both);
      factor = std::gcd(factor, term.factor);
    }
  }
  for (Terms* terms : {&a, &b})
    for (Term& term : *terms) term = {without(term.monomial, common), term.factor / factor};
}

// floor((x + b) / c) with every factor of x a multiple of g, which divides c, is
// floor((x/g + floor(b/g)) / (c/g)).
void cancel_common_factor(Terms& numerator, int64_t& divisor) {
  int64_t g = divisor;
  for (const Term& term : numerator)
    if (!term.monomial.empty()) g = std::gcd(g, term.factor);
  if (g == 1) return;
  divisor /= g;
  for (Term& term : numerator) term.factor = floor_div(term.factor, g);
  std::erase_if(numerator, [](const Term& term) { return term.factor == 0; });
}

// floor((floor(x/a) + y) / c) = floor((x + a*y) / (a*c)) for positive constants a and c.
bool flatten(Terms& numerator, int64_t& divisor) {
  size_t found = numerator.size();
  for (size_t i = 0; i < numerator.size(); ++i) {
    const Term& term = numerator[i];
    if (term.factor != 1 || term.monomial.size() != 1) continue;
    const Atom& atom = *term.monomial[0];
    if (atom.kind != Atom::Kind::floor_div || !atom.divisor.is_const()) continue;
    if (found != numerator.size()) return false;  // two: neither comes first
    found = i;
  }
  if (found == numerator.size()) return false;
  const std::shared_ptr<const Atom> inner = numerator[found].monomial[0];
  numerator.erase(numerator.begin() + static_cast<std::ptrdiff_t>(found));
  const int64_t a = inner->divisor.value();
  numerator = add(multiply(numerator, constant(a)), terms_of(inner->numerator));
  divisor = multiply(divisor, a);
  return true;
}

Dim divide(Terms numerator, Terms divisor);

Dim divide_rest(Terms rest, Terms divisor) {
  if (rest.empty()) return 0;
  const Terms before = divisor;
  cancel_common(rest, divisor);
  if (divisor.size() == 1 && divisor[0].monomial.empty()) {
    int64_t by = divisor[0].factor;
    const int64_t by_before = before[0].monomial.empty() ? before[0].factor : 0;
    cancel_common_factor(rest, by);
    const bool flat = flatten(rest, by);
    if (flat || by != by_before) return divide(std::move(rest), {constant(by)});
  } else if (compare(divisor, before) != 0) {
    return divide(std::move(rest), std::move(divisor));
  }
  return floor_atom(rest, divisor);
}

// Polynomial division: floor((q*d + r) / d) is q + floor(r/d). Factors are divided rounding down,
// so those of r lie between 0 and the divisor's and the result does not depend on how it was
// written.
Dim divide(Terms numerator, Terms divisor) {
  if (divisor.front().factor < 0) {
    numerator = multiply(numerator, constant(-1));
    divisor = multiply(divisor, constant(-1));
  }
  const Term& leading = divisor.front();
  Terms quotient;
  Terms rest;
  while (!numerator.empty()) {
    const Term term = numerator.front();
    const int64_t times =
        divides(leading.monomial, term.monomial) ? floor_div(term.factor, leading.factor) : 0;
    if (times != 0) {
      const Terms part = {{without(term.monomial, leading.monomial), times}};
      quotient = add(quotient, part);
      numerator = add(numerator, multiply(divisor, Term{part[0].monomial, multiply(times, -1)}));
      if (numerator.empty() || compare(numerator.front().monomial, term.monomial) != 0) continue;
    }
    rest.push_back(numerator.front());
    numerator.erase(numerator.begin());
  }
  return to_dim(std::move(quotient)) + divide_rest(std::move(rest), std::move(divisor));
}

std::optional<int64_t> eval_atom(const Atom& atom, const Dim::Bindings& symbols) {
  if (atom.kind == Atom::Kind::unknown) return std::nullopt;
  if (atom.kind == Atom::Kind::symbol) {
    const auto found = symbols.find(atom.name);
    return found == symbols.end() ? std::nullopt : std::optional(found->second);
  }
  const std::optional<int64_t> numerator = atom.numerator.eval(symbols);
  const std::optional<int64_t> divisor = atom.divisor.eval(symbols);
  if (!numerator || !divisor || *divisor == 0 || (*numerator == INT64_MIN && *divisor == -1))
    return std::nullopt;
  return floor_div(*numerator, *divisor);
}

void collect_symbols(const Dim& dim, std::set<std::string>& names) {
  for (const Term& term : terms_of(dim)) {
    for (const auto& atom : term.monomial) {
      if (atom->kind == Atom::Kind::symbol) names.insert(atom->name);
      collect_symbols(atom->numerator, names);
      collect_symbols(atom->divisor, names);
    }
  }
}

}  // namespace

std::strong_ordering compare(const Atom& a, const Atom& b) {
  if (&a == &b) return std::strong_ordering::equal;
  if (const auto order = a.kind <=> b.kind; order != 0) return order;
  if (const auto order = a.name <=> b.name; order != 0) return order;
  if (const auto order = a.id <=> b.id; order != 0) return order;
  if (a.kind != Atom::Kind::floor_div) return std::strong_ordering::equal;
  if (const auto order = compare(terms_of(a.numerator), terms_of(b.numerator)); order != 0)
    return order;
  return compare(terms_of(a.divisor), terms_of(b.divisor));
}

std::strong_ordering compare(const Monomial& a, const Monomial& b) {
  if (const auto order = b.size() <=> a.size(); order != 0) return order;
  for (size_t i = 0; i < a.size(); ++i)
    if (const auto order = compare(*a[i], *b[i]); order != 0) return order;
  return std::strong_ordering::equal;
}

std::strong_ordering compare(const Terms& a, const Terms& b) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (const auto order = compare(a[i].monomial, b[i].monomial); order != 0) return order;
    if (const auto order = a[i].factor <=> b[i].factor; order != 0) return order;
  }
  return a.size() <=> b.size();
}

int64_t add(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) fail_overflow(a, '+', b);
  return sum;
}

int64_t multiply(int64_t a, int64_t b) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) fail_overflow(a, '*', b);
  return product;
}

int64_t floor_div(int64_t a, int64_t b) {
  if (b == -1) return multiply(a, -1);
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

Terms terms_of(const Dim& dim) {
  if (const Terms* terms = Dim::Poly::get(dim)) return *terms;
  return dim.value() == 0 ? Terms{} : Terms{constant(dim.value())};
}

Dim to_dim(Terms terms) { return Dim::Poly::make(std::move(terms)); }

Terms add(const Terms& a, const Terms& b) {
  Terms sum;
  sum.reserve(a.size() + b.size());
  auto x = a.begin();
  auto y = b.begin();
  while (x != a.end() || y != b.end()) {
    const auto order = x == a.end()   ? std::strong_ordering::greater
                       : y == b.end() ? std::strong_ordering::less
                                      : compare(x->monomial, y->monomial);
    if (order < 0) {
      sum.push_back(*x++);
    } else if (order > 0) {
      sum.push_back(*y++);
    } else {
      if (const int64_t factor = add(x->factor, y->factor); factor != 0)
        sum.push_back({x->monomial, factor});
      ++x, ++y;
    }
  }
  return sum;
}

Terms multiply(const Terms& a, const Term& b) {
  Terms product;
  product.reserve(a.size());
  for (const Term& term : a) {
    Monomial monomial;
    std::merge(term.monomial.begin(), term.monomial.end(), b.monomial.begin(), b.monomial.end(),
               std::back_inserter(monomial), AtomOrder{});
    product.push_back({std::move(monomial), multiply(term.factor, b.factor)});
  }
  return product;  // still in order: compare() is a monomial order
}

}  // namespace dim

Dim Dim::Poly::make(dim::Terms terms) {
  if (terms.empty()) return 0;
  if (terms.front().monomial.empty()) return terms.front().factor;
  return Dim(std::make_shared<const Poly>(Poly{std::move(terms)}));
}

Dim Dim::symbol(std::string_view name) {
  TENON_CHECK(!name.empty(), usage, "Dim::symbol: the name is empty; give one such as batch");
  return dim::to_dim({{{std::make_shared<const dim::Atom>(
                           dim::Atom{.kind = dim::Atom::Kind::symbol, .name = std::string(name)})},
                       1}});
}

Dim Dim::unknown() {
  static std::atomic<uint64_t> next{1};
  return dim::to_dim(
      {{{std::make_shared<const dim::Atom>(dim::Atom{
            .kind = dim::Atom::Kind::unknown, .id = next.fetch_add(1, std::memory_order_relaxed)})},
        1}});
}

int64_t Dim::value() const {
  TENON_BUG_IF(poly_, "Dim::value of the symbolic size {}", str());
  return value_;
}

bool Dim::is_unknown() const {
  if (!poly_) return false;
  return std::ranges::any_of(poly_->terms, [](const dim::Term& term) {
    return std::ranges::any_of(term.monomial, [](const auto& atom) {
      return atom->kind == dim::Atom::Kind::unknown || atom->numerator.is_unknown() ||
             atom->divisor.is_unknown();
    });
  });
}

bool Dim::is_nonnegative() const {
  if (!poly_) return value_ >= 0;
  const auto nonnegative = [](const std::shared_ptr<const dim::Atom>& atom) {
    if (atom->kind == dim::Atom::Kind::floor_div)
      return atom->numerator.is_nonnegative() && atom->divisor.is_nonnegative();
    return atom->kind == dim::Atom::Kind::symbol;  // an unknown may stand for any integer
  };
  return std::ranges::all_of(poly_->terms, [&](const dim::Term& term) {
    return term.factor > 0 && std::ranges::all_of(term.monomial, nonnegative);
  });
}

Dim Dim::operator+(const Dim& other) const {
  if (is_const() && other.is_const()) return dim::add(value_, other.value_);
  return dim::to_dim(dim::add(dim::terms_of(*this), dim::terms_of(other)));
}

Dim Dim::operator-(const Dim& other) const { return *this + other * -1; }

Dim Dim::operator*(const Dim& other) const {
  if (is_const() && other.is_const()) return dim::multiply(value_, other.value_);
  const dim::Terms a = dim::terms_of(*this);
  const dim::Terms b = dim::terms_of(other);
  dim::Terms product;
  for (const dim::Term& term : b) {
    product = dim::add(product, dim::multiply(a, term));
    if (product.size() > dim::kMaxTerms) return unknown();
  }
  return dim::to_dim(std::move(product));
}

Dim Dim::floor_div(const Dim& divisor) const {
  if (divisor.is_const()) {
    TENON_CHECK(divisor.value_ != 0, usage, "dim: {} is divided by 0; use a divisor other than 0",
                str());
    if (is_const()) return dim::floor_div(value_, divisor.value_);
    if (divisor.value_ == 1) return *this;
  }
  return dim::divide(dim::terms_of(*this), dim::terms_of(divisor));
}

Dim Dim::ceil_div(const Dim& divisor) const {
  if (divisor.is_const() && divisor.value_ <= 0) return (*this * -1).floor_div(divisor) * -1;
  return (*this + divisor - 1).floor_div(divisor);
}

bool Dim::operator==(const Dim& other) const {
  if (is_const() || other.is_const())
    return is_const() && other.is_const() && value_ == other.value_;
  return poly_ == other.poly_ || dim::compare(poly_->terms, other.poly_->terms) == 0;
}

std::optional<int64_t> Dim::eval(const Bindings& symbols) const {
  if (!poly_) return value_;
  int64_t sum = 0;
  for (const dim::Term& term : poly_->terms) {
    int64_t product = term.factor;
    for (const auto& atom : term.monomial) {
      const std::optional<int64_t> value = dim::eval_atom(*atom, symbols);
      if (!value || __builtin_mul_overflow(product, *value, &product)) return std::nullopt;
    }
    if (__builtin_add_overflow(sum, product, &sum)) return std::nullopt;
  }
  return sum;
}

std::vector<std::string> Dim::symbols() const {
  std::set<std::string> names;
  dim::collect_symbols(*this, names);
  return {names.begin(), names.end()};
}

}  // namespace tenon
