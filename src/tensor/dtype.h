// Element types. The numbers are ONNX's TensorProto.DataType, so files need no table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tensor/half.h"

namespace tenon {

enum class DType : uint8_t {
  undefined = 0,
  f32 = 1,
  u8 = 2,
  i8 = 3,
  u16 = 4,
  i16 = 5,
  i32 = 6,
  i64 = 7,
  string = 8,
  boolean = 9,
  f16 = 10,
  f64 = 11,
  u32 = 12,
  u64 = 13,
  c64 = 14,
  c128 = 15,
  bf16 = 16,
  // Storage types: cast, quantised and copied, never computed with. In memory each element has a
  // byte of its own, in its low bits; files pack those of 4 and 2 bits.
  f8e4m3fn = 17,
  f8e4m3fnuz = 18,
  f8e5m2 = 19,
  f8e5m2fnuz = 20,
  u4 = 21,
  i4 = 22,
  f4e2m1 = 23,
  f8e8m0 = 24,
  u2 = 25,
  i2 = 26,
  // Containers: tensors of rank 1 whose elements are tensors (Tensor::sequence()); no numbers of
  // TensorProto.DataType. An optional holds one element or none, a map its keys and its values.
  sequence = 27,
  optional = 28,
  map = 29,
};
inline constexpr int kTensorTypeCount = 27;  // those that ONNX's tensors can have
inline constexpr int kDTypeCount = 30;

// Short name ("f32"), as printed in errors and tables.
std::string_view name(DType type);
// ONNX's name ("FLOAT"), as in TensorProto.DataType.
std::string_view onnx_name(DType type);
// Accepts the short name, ONNX's and NumPy's ("float32"); undefined when none matches.
DType parse_dtype(std::string_view text);

// Bytes of one element; std::string counts as sizeof(std::string), containers as the handle that a
// Tensor is, undefined as 0.
// clang-format off
inline constexpr uint8_t kDTypeBytes[kDTypeCount] = {
    0, 4, 1, 1, 2, 2, 4, 8, sizeof(std::string), 1, 2, 8, 4, 8, 8, 16, 2,  // up to bf16
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1,                                          // f8e4m3fn to i2
    sizeof(void*), sizeof(void*), sizeof(void*)};                          // sequence to map
// clang-format on
constexpr size_t size_of(DType type) { return kDTypeBytes[static_cast<int>(type)]; }

// A set of types as bits, for operator signatures.
struct TypeSet {
  uint32_t bits = 0;

  constexpr bool has(DType type) const { return bits >> static_cast<int>(type) & 1U; }
  constexpr TypeSet operator|(TypeSet other) const { return {bits | other.bits}; }
  constexpr TypeSet operator-(TypeSet other) const { return {bits & ~other.bits}; }
  constexpr bool operator==(const TypeSet&) const = default;
  std::string str() const;  // "f32, f64"
};
template <class... Types>
constexpr TypeSet types(Types... list) {
  return {((1U << static_cast<int>(list)) | ... | 0U)};
}

inline constexpr TypeSet kFloats = types(DType::f16, DType::bf16, DType::f32, DType::f64);
inline constexpr TypeSet kSignedInts = types(DType::i8, DType::i16, DType::i32, DType::i64);
inline constexpr TypeSet kUnsignedInts = types(DType::u8, DType::u16, DType::u32, DType::u64);
inline constexpr TypeSet kInts = kSignedInts | kUnsignedInts;
inline constexpr TypeSet kNumeric = kFloats | kInts;
inline constexpr TypeSet kBool = types(DType::boolean);
inline constexpr TypeSet kString = types(DType::string);
inline constexpr TypeSet kIndex = types(DType::i32, DType::i64);
inline constexpr TypeSet kInt64 = types(DType::i64);
inline constexpr TypeSet kFloat32 = types(DType::f32);
inline constexpr TypeSet kAnyType = kNumeric | kBool | kString | types(DType::c64, DType::c128);

inline constexpr TypeSet kHalves = types(DType::f16, DType::bf16);
inline constexpr TypeSet kFloat8 =
    types(DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz);
// Types that are only stored: see DType.
inline constexpr TypeSet kStored =
    kFloat8 | types(DType::f8e8m0, DType::f4e2m1, DType::u4, DType::i4, DType::u2, DType::i2);
inline constexpr TypeSet kSequence = types(DType::sequence);
inline constexpr TypeSet kOptional = types(DType::optional);
inline constexpr TypeSet kContainers = kSequence | kOptional | types(DType::map);

constexpr bool is_container(DType type) { return kContainers.has(type); }
constexpr bool is_half(DType type) { return kHalves.has(type); }
constexpr bool is_float(DType type) { return kFloats.has(type); }
constexpr bool is_signed_int(DType type) { return kSignedInts.has(type); }
constexpr bool is_unsigned_int(DType type) { return kUnsignedInts.has(type); }
constexpr bool is_int(DType type) { return kInts.has(type); }

// dtype_of<float> == DType::f32
template <class T>
inline constexpr DType dtype_of = DType::undefined;
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<f16> = DType::f16;
template <>
inline constexpr DType dtype_of<bf16> = DType::bf16;
template <>
inline constexpr DType dtype_of<int8_t> = DType::i8;
template <>
inline constexpr DType dtype_of<int16_t> = DType::i16;
template <>
inline constexpr DType dtype_of<int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<int64_t> = DType::i64;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::u8;
template <>
inline constexpr DType dtype_of<uint16_t> = DType::u16;
template <>
inline constexpr DType dtype_of<uint32_t> = DType::u32;
template <>
inline constexpr DType dtype_of<uint64_t> = DType::u64;
template <>
inline constexpr DType dtype_of<bool> = DType::boolean;
template <>
inline constexpr DType dtype_of<std::string> = DType::string;

}  // namespace tenon
