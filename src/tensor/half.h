// 16-bit floats: IEEE 754 binary16 and bfloat16, stored as bits, rounded to nearest even.
#pragma once

#include <bit>
#include <cstdint>

namespace tenon {

struct bf16 {
  uint16_t bits = 0;

  bf16() = default;
  explicit bf16(float value) {
    uint32_t u = std::bit_cast<uint32_t>(value);
    if ((u & 0x7fffffffU) > 0x7f800000U)
      bits = static_cast<uint16_t>((u >> 16) | 0x40U);  // keep NaN a (quiet) NaN
    else
      bits = static_cast<uint16_t>((u + 0x7fffU + ((u >> 16) & 1U)) >> 16);
  }
  explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
};

struct f16 {
  uint16_t bits = 0;

  f16() = default;
  explicit f16(float value);
  explicit operator float() const;
};

inline f16::f16(float value) {
  const uint32_t u = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (u >> 16) & 0x8000U;
  const uint32_t magnitude = u & 0x7fffffffU;
  uint32_t h;
  if (magnitude > 0x7f800000U) {
    h = 0x7e00U;
  } else if (magnitude >= 0x477ff000U) {  // rounds to 65536 or more: infinity
    h = 0x7c00U;
  } else if (magnitude < 0x38800000U) {  // below 2^-14: subnormal; adding 0.5 aligns and rounds
    const float aligned = std::bit_cast<float>(magnitude) + 0.5F;
    h = std::bit_cast<uint32_t>(aligned) - 0x3f000000U;
  } else {
    const uint32_t odd = (magnitude >> 13) & 1U;
    h = (magnitude - 0x38000000U + 0xfffU + odd) >> 13;
  }
  bits = static_cast<uint16_t>(sign | h);
}

inline f16::operator float() const {
  const uint32_t sign = (uint32_t{bits} & 0x8000U) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1fU;
  const uint32_t fraction = bits & 0x3ffU;
  if (exponent == 0)  // zero or subnormal: fraction * 2^-24
    return std::bit_cast<float>(sign |
                                std::bit_cast<uint32_t>(static_cast<float>(fraction) * 0x1p-24F));
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | (fraction << 13));
  return std::bit_cast<float>(sign | ((exponent + 112U) << 23) | (fraction << 13));
}

}  // namespace tenon
