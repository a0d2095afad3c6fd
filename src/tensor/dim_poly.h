// What a symbolic Dim is inside: a sum of products of atoms with integer factors, in one canonical
// order, so that equal polynomials are equal term by term.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tensor/dim.h"

namespace tenon::dim {

// What has no simpler form: a symbol, an unknown, or a floor division that does not come out even.
struct Atom {
  enum class Kind : uint8_t { symbol, floor_div, unknown };

  Kind kind;
  std::string name = {};           // symbols
  uint64_t id = 0;                 // unknowns
  Dim numerator = 0, divisor = 1;  // floor divisions
};
std::strong_ordering compare(const Atom& a, const Atom& b);

// Atoms in order, one entry a power; empty for the constant term.
using Monomial = std::vector<std::shared_ptr<const Atom>>;

struct Term {
  Monomial monomial;
  int64_t factor;
};
// Higher degree first, then by the atoms: a monomial order, as polynomial division needs it.
std::strong_ordering compare(const Monomial& a, const Monomial& b);

// In order, without zero factors or repeated monomials.
using Terms = std::vector<Term>;
std::strong_ordering compare(const Terms& a, const Terms& b);

Terms terms_of(const Dim& dim);
Dim to_dim(Terms terms);

// Fail (resource) past 64 bits.
int64_t add(int64_t a, int64_t b);
int64_t multiply(int64_t a, int64_t b);
int64_t floor_div(int64_t a, int64_t b);  // b is not 0

Terms add(const Terms& a, const Terms& b);
Terms multiply(const Terms& a, const Term& b);

}  // namespace tenon::dim

namespace tenon {

struct Dim::Poly {
  dim::Terms terms;

  static Dim make(dim::Terms terms);
  static const dim::Terms* get(const Dim& dim) { return dim.poly_ ? &dim.poly_->terms : nullptr; }
};

}  // namespace tenon
