// Numbers as unsigned integers that sort like them, for sorting by bits.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace tenon::cpu {

// -0 and 0 are one number, and NaN is the largest.
template <class T>
auto ordered_bits(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    using U = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    constexpr U kSign = U{1} << (8 * sizeof(U) - 1);
    if (value != value) return static_cast<U>(~U{0});
    const U bits = std::bit_cast<U>(value + T{0});  // -0 becomes 0
    return static_cast<U>(bits & kSign ? ~bits : bits | kSign);
  } else {
    using U = std::make_unsigned_t<T>;
    constexpr U kSign = std::is_signed_v<T> ? U{1} << (8 * sizeof(U) - 1) : 0;
    return static_cast<U>(static_cast<U>(value) ^ kSign);
  }
}

}  // namespace tenon::cpu
