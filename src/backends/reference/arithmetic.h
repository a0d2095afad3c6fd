// Arithmetic that is defined for every pair of values: integers wrap around, divisions by an
// integer 0 give 0, and NaN wins comparisons. Wide is double, int64_t or uint64_t.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace tenon::reference {

// Signed overflow is undefined, so integers are computed modulo 2^64.
template <class Wide>
Wide add(Wide a, Wide b) {
  if constexpr (std::is_same_v<Wide, double>)
    return a + b;
  else
    return static_cast<Wide>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

template <class Wide>
Wide subtract(Wide a, Wide b) {
  if constexpr (std::is_same_v<Wide, double>)
    return a - b;
  else
    return static_cast<Wide>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

template <class Wide>
Wide multiply(Wide a, Wide b) {
  if constexpr (std::is_same_v<Wide, double>)
    return a * b;
  else
    return static_cast<Wide>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

template <class Wide>
Wide negate(Wide a) {
  if constexpr (std::is_same_v<Wide, double>)
    return -a;
  else
    return subtract(Wide{0}, a);
}

// Integers truncate toward 0.
template <class Wide>
Wide divide(Wide a, Wide b) {
  if constexpr (std::is_same_v<Wide, double>) {
    return a / b;
  } else {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<Wide>)
      if (b == -1) return negate(a);
    return a / b;
  }
}

// What divide() leaves, with the sign of a.
template <class Wide>
Wide remainder(Wide a, Wide b) {
  if constexpr (std::is_same_v<Wide, double>) {
    return std::fmod(a, b);
  } else {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<Wide>)
      if (b == -1) return 0;
    return a % b;
  }
}

// What division rounded down leaves, with the sign of b.
template <class Wide>
Wide modulo(Wide a, Wide b) {
  const Wide rest = remainder(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

template <class Wide>
Wide greater_of(Wide a, Wide b) {
  if (a != a) return a;
  return a > b ? a : b;
}

template <class Wide>
Wide lesser_of(Wide a, Wide b) {
  if (a != a) return a;
  return a < b ? a : b;
}

// Whether a comes before b in ascending order, where NaN comes last.
template <class Wide>
bool less(Wide a, Wide b) {
  return a < b || (b != b && a == a);
}

// A double as Wide: what does not fit becomes the nearest that does, and for integers NaN becomes
// 0.
template <class Wide>
Wide from_double(double value) {
  if constexpr (std::is_same_v<Wide, double>) {
    return value;
  } else {
    using Limits = std::numeric_limits<Wide>;
    if (std::isnan(value)) return 0;
    if (value <= static_cast<double>(Limits::lowest())) return Limits::lowest();
    if (value >= static_cast<double>(Limits::max())) return Limits::max();
    return static_cast<Wide>(value);
  }
}

}  // namespace tenon::reference
