// The codes of the storage types (8-bit and narrower floats, integers of 4 and 2 bits) and the
// numbers they stand for: https://onnx.ai/onnx/technical/float8.html, float4.html, int4.html.
// A code lies in the low bits of its byte; the bits above are written as 0 and not looked at.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace tenon {

inline constexpr TypeSet kNarrowFloats = kFloat8 | types(DType::f8e8m0, DType::f4e2m1);
inline constexpr TypeSet kNarrowInts = kStored - kNarrowFloats;

// Bits of an element as files pack it: 8, 4 or 2 for storage types.
constexpr int bits_of(DType type) {
  if (types(DType::u4, DType::i4, DType::f4e2m1).has(type)) return 4;
  if (types(DType::u2, DType::i2).has(type)) return 2;
  return static_cast<int>(size_of(type)) * 8;
}

// What becomes of numbers that a narrow float does not have. The defaults are those of ONNX's Cast.
struct NarrowRule {
  // Numbers past the largest one, infinities too, become the largest one; else NaN (in f8e5m2
  // infinity). f4e2m1, which has neither, always saturates.
  bool saturate = true;
  // f8e8m0, powers of two: the next one up, the next one down, or the nearer one (halfway: up).
  // The other types round to nearest even.
  enum class Round : uint8_t { up, down, nearest } round = Round::up;
};

// The number, exactly; of every storage type.
float value_of_code(DType type, uint8_t code);
// Of kNarrowFloats. NaN becomes NaN, or -0 in f4e2m1; f8e8m0 has no zero and no negative numbers:
// zero becomes 2^-127 (not saturating: NaN, as all below it), negative numbers NaN.
uint8_t code_of(DType type, float value, const NarrowRule& rule = {});
// Of kNarrowInts: the low bits.
uint8_t code_of(DType type, int64_t value);

// Runs of elements. Codes to f32 (kNarrowFloats) or i8 (kNarrowInts)...
using NarrowRun = void (*)(const void* from, void* to, int64_t count);
NarrowRun decoder(DType type);
// ... and f32 or i64 to codes.
NarrowRun encoder(DType type, const NarrowRule& rule);

}  // namespace tenon
