// Lists of Dims: symbolic shapes.
#include <algorithm>

#include "base/error.h"
#include "tensor/dim.h"

namespace tenon {
namespace {

Dim broadcast_axis(const Dim& a, const Dim& b, const Dims& all_a, const Dims& all_b) {
  if (a == b) return a;
  if (a.is_const() && a.value() == 1) return b;
  if (b.is_const() && b.value() == 1) return a;
  TENON_CHECK(!a.is_const() || !b.is_const(), usage,
              "broadcast: shapes {} and {} do not fit: {} against {}; sizes must be equal or one "
              "of them 1, "
              "counted from the last axis",
              str(all_a), str(all_b), a.value(), b.value());
  if (a.is_const()) return a;
  if (b.is_const()) return b;
  return Dim::unknown();
}

}  // namespace

Dims to_dims(const Shape& shape) { return {shape.begin(), shape.end()}; }

std::optional<Shape> to_shape(const Dims& dims) {
  if (!is_static(dims)) return std::nullopt;
  Shape shape;
  for (const Dim& dim : dims) shape.push_back(dim.value());
  return shape;
}

bool is_static(const Dims& dims) { return std::ranges::all_of(dims, &Dim::is_const); }

Dim product(const Dims& dims) {
  Dim result = 1;
  for (const Dim& dim : dims) result = result * dim;
  return result;
}

std::string str(const Dims& dims) {
  std::string text = "[";
  for (const Dim& dim : dims) {
    if (text.size() > 1) text += ", ";
    text += dim.str();
  }
  return text + "]";
}

Dims broadcast(const Dims& a, const Dims& b) {
  const Dims& longer = a.size() >= b.size() ? a : b;
  const Dims& shorter = a.size() >= b.size() ? b : a;
  Dims out = longer;
  const size_t shift = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i)
    out[i + shift] = a.size() >= b.size() ? broadcast_axis(longer[i + shift], shorter[i], a, b)
                                          : broadcast_axis(shorter[i], longer[i + shift], a, b);
  return out;
}

}  // namespace tenon
