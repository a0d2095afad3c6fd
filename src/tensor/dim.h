// One size of a symbolic shape: an integer, or a polynomial over named symbols ("batch", "2*seq+1",
// "batch*12"), with floor divisions as atoms and fresh unknowns where only data decides.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/shape.h"

namespace tenon {

class Dim {
 public:
  Dim(int64_t value = 0) : value_(value) {}  // implicit: shapes mix numbers and symbols
  static Dim symbol(std::string_view name);
  // Distinct from every other Dim; prints as "?".
  static Dim unknown();
  // What str() prints: "2*seq+1", "floor((h+1)/2)". Fails with kind data on anything else.
  static Dim parse(std::string_view text);

  bool is_const() const { return poly_ == nullptr; }
  // The integer; a bug if this Dim is not constant.
  int64_t value() const;
  bool is_unknown() const;  // some part of it is an unknown
  // Provably 0 or more for all sizes, which are so themselves. False means "not provable".
  bool is_nonnegative() const;

  Dim operator+(const Dim& other) const;
  Dim operator-(const Dim& other) const;
  Dim operator*(const Dim& other) const;
  Dim floor_div(const Dim& divisor) const;
  Dim ceil_div(const Dim& divisor) const;
  // Provably equal for all values of the symbols. False means "not provable".
  bool operator==(const Dim& other) const;

  using Bindings = std::map<std::string, int64_t, std::less<>>;
  std::optional<int64_t> eval(const Bindings& symbols) const;
  std::vector<std::string> symbols() const;  // names used, sorted
  std::string str() const;

  struct Poly;  // dim.cpp

 private:
  explicit Dim(std::shared_ptr<const Poly> poly) : poly_(std::move(poly)) {}

  int64_t value_ = 0;
  std::shared_ptr<const Poly> poly_;
};

// A shape whose sizes may be symbolic.
using Dims = std::vector<Dim>;

Dims to_dims(const Shape& shape);
// The concrete shape, when every Dim is constant.
std::optional<Shape> to_shape(const Dims& dims);
bool is_static(const Dims& dims);
Dim product(const Dims& dims);
std::string str(const Dims& dims);  // "[batch, 3, 224]"

// NumPy broadcasting of one axis. Two dims that cannot be proven equal become: the constant one if
// one is a constant other than 1, an unknown otherwise. Fails (usage) on 2 against 3.
Dims broadcast(const Dims& a, const Dims& b);

}  // namespace tenon
