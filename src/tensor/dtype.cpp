// Names of element types: ours, ONNX's and NumPy's, in one table.
#include "tensor/dtype.h"

#include <algorithm>
#include <array>

namespace tenon {
namespace {

struct Row {
  std::string_view name;
  std::string_view onnx;  // matched without regard to case
  std::string_view numpy;
};

// In the order of DType.
constexpr std::array<Row, kDTypeCount> kRows = {{
    {"undefined", "UNDEFINED", ""},
    {"f32", "FLOAT", "float32"},
    {"u8", "UINT8", "uint8"},
    {"i8", "INT8", "int8"},
    {"u16", "UINT16", "uint16"},
    {"i16", "INT16", "int16"},
    {"i32", "INT32", "int32"},
    {"i64", "INT64", "int64"},
    {"string", "STRING", "str_"},
    {"bool", "BOOL", "bool_"},
    {"f16", "FLOAT16", "half"},
    {"f64", "DOUBLE", "float64"},
    {"u32", "UINT32", "uint32"},
    {"u64", "UINT64", "uint64"},
    {"c64", "COMPLEX64", "complex64"},
    {"c128", "COMPLEX128", "complex128"},
    {"bf16", "BFLOAT16", "bfloat16"},
    {"f8e4m3fn", "FLOAT8E4M3FN", "float8_e4m3fn"},
    {"f8e4m3fnuz", "FLOAT8E4M3FNUZ", "float8_e4m3fnuz"},
    {"f8e5m2", "FLOAT8E5M2", "float8_e5m2"},
    {"f8e5m2fnuz", "FLOAT8E5M2FNUZ", "float8_e5m2fnuz"},
    {"u4", "UINT4", "uint4"},
    {"i4", "INT4", "int4"},
    {"f4e2m1", "FLOAT4E2M1", "float4_e2m1fn"},
    {"f8e8m0", "FLOAT8E8M0", "float8_e8m0fnu"},
    {"u2", "UINT2", "uint2"},
    {"i2", "INT2", "int2"},
    {"sequence", "", ""},
    {"optional", "", ""},
    {"map", "", ""},
}};

const Row& row(DType type) {
  const auto index = static_cast<size_t>(type);
  return kRows[index < kRows.size() ? index : 0];
}

bool same_ignoring_case(std::string_view text, std::string_view upper) {
  return std::ranges::equal(text, upper, [](char a, char b) {
    return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 'a' + 'A') : a) == b;
  });
}

}  // namespace

std::string_view name(DType type) { return row(type).name; }

std::string_view onnx_name(DType type) { return row(type).onnx; }

DType parse_dtype(std::string_view text) {
  for (size_t i = 1; i < kTensorTypeCount; ++i)
    if (text == kRows[i].name || text == kRows[i].numpy || same_ignoring_case(text, kRows[i].onnx))
      return static_cast<DType>(i);
  return DType::undefined;
}

std::string TypeSet::str() const {
  std::string text;
  for (int i = 0; i < kDTypeCount; ++i) {
    if (!has(static_cast<DType>(i))) continue;
    if (!text.empty()) text += ", ";
    text += name(static_cast<DType>(i));
  }
  return text;
}

}  // namespace tenon
