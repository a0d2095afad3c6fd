// Conversion between element types, one value and one run at a time. The rules stand at
// copy_elements() in tensor.h.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "tensor/dtype.h"
#include "tensor/narrow.h"

namespace tenon {

// Converts elements that lie side by side; false where there is no conversion. The same type on
// both sides counts as one, strings do not. Storage types go through f32, i8 or i64, so that not
// every pair needs a loop of its own.
class ConvertRun {
 public:
  using Step = void (*)(const void* from, void* to, int64_t count);

  ConvertRun() = default;
  ConvertRun(Step only) : steps_{only} {}
  explicit operator bool() const { return steps_[0] != nullptr; }
  void operator()(const void* from, void* to, int64_t count) const {
    if (!steps_[1]) return steps_[0](from, to, count);
    run_steps(from, to, count);
  }

 private:
  friend ConvertRun convert_run(DType from, DType to, const NarrowRule& rule);
  static constexpr size_t kSteps = 3;

  void add(Step step);
  void run_steps(const void* from, void* to, int64_t count) const;

  Step steps_[kSteps] = {};
  uint8_t from_bytes_ = 0, to_bytes_ = 0;  // of an element; set where there are several steps
};
// `rule` is for conversions to narrow floats.
ConvertRun convert_run(DType from, DType to, const NarrowRule& rule = {});

namespace detail {

template <class T>
inline constexpr bool is_half = std::is_same_v<T, f16> || std::is_same_v<T, bf16>;

// A float of 24 bits that rounds to the same 16-bit float as `value` does: inexact results get an
// odd last bit, which keeps them off the halfway points (round to odd; Boldo and Melquiond 2008).
inline float narrow_to_odd(double value) {
  auto narrow = static_cast<float>(value);
  if (static_cast<double>(narrow) == value || !std::isfinite(narrow) || !std::isfinite(value))
    return narrow;
  auto bits = std::bit_cast<uint32_t>(narrow);
  if (bits & 1U) return narrow;
  const bool too_far = std::fabs(static_cast<double>(narrow)) > std::fabs(value);
  return std::bit_cast<float>(too_far ? bits - 1 : bits + 1);
}

// As above for integers: beyond 24 bits the dropped ones are kept as one sticky bit.
template <class T>
float narrow_to_odd_integer(T value) {
  if constexpr (sizeof(T) <= 2) {
    return static_cast<float>(value);
  } else {
    const bool negative = value < 0;
    uint64_t magnitude = negative ? -static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
    if (magnitude >> 24) {
      const int shift = std::bit_width(magnitude) - 24;
      const uint64_t dropped = magnitude & ((uint64_t{1} << shift) - 1);
      magnitude = (magnitude >> shift | uint64_t{dropped != 0}) << shift;
    }
    const auto narrow = static_cast<float>(magnitude);
    return negative ? -narrow : narrow;
  }
}

template <class To, class From>
To saturate(From value) {
  // Both bounds are powers of two (or 0), so they are exact in every float type.
  constexpr auto kLow = static_cast<From>(std::numeric_limits<To>::min());
  constexpr From kPast = static_cast<From>(std::numeric_limits<To>::max() / 2 + 1) * 2;
  if (value != value) return 0;
  if (value <= kLow) return std::numeric_limits<To>::min();
  if (value >= kPast) return std::numeric_limits<To>::max();
  return static_cast<To>(value);
}

}  // namespace detail

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (detail::is_half<From>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From{0};
  } else if constexpr (std::is_same_v<From, bool>) {
    return convert<To>(static_cast<uint8_t>(value));
  } else if constexpr (detail::is_half<To>) {
    if constexpr (std::is_same_v<From, double>)
      return To(detail::narrow_to_odd(value));
    else if constexpr (std::is_integral_v<From>)
      return To(detail::narrow_to_odd_integer(value));
    else
      return To(value);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return detail::saturate<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace tenon
