#include "tensor/dtype.h"

#include <gtest/gtest.h>

namespace tenon {
namespace {

TEST(DType, EveryNameIsReadBack) {
  for (int i = 1; i < kTensorTypeCount; ++i) {
    const auto type = static_cast<DType>(i);
    EXPECT_EQ(parse_dtype(name(type)), type) << name(type);
    EXPECT_EQ(parse_dtype(onnx_name(type)), type) << onnx_name(type);
    EXPECT_TRUE((kAnyType | kStored).has(type));
    EXPECT_GT(size_of(type), 0U);
  }
}

TEST(DType, NamesOfOthers) {
  EXPECT_EQ(parse_dtype("float32"), DType::f32);
  EXPECT_EQ(parse_dtype("float16"), DType::f16);
  EXPECT_EQ(parse_dtype("bfloat16"), DType::bf16);
  EXPECT_EQ(parse_dtype("int64"), DType::i64);
  EXPECT_EQ(parse_dtype("bool"), DType::boolean);
  EXPECT_EQ(parse_dtype("float"), DType::f32);
  EXPECT_EQ(parse_dtype("double"), DType::f64);
  EXPECT_EQ(parse_dtype("undefined"), DType::undefined);
  EXPECT_EQ(parse_dtype(""), DType::undefined);
  EXPECT_EQ(parse_dtype("f33"), DType::undefined);
}

TEST(DType, SizesMatchTheTypes) {
  EXPECT_EQ(size_of(DType::f32), sizeof(float));
  EXPECT_EQ(size_of(DType::i64), sizeof(int64_t));
  EXPECT_EQ(size_of(DType::bf16), sizeof(bf16));
  EXPECT_EQ(size_of(DType::c128), 16U);
  EXPECT_EQ(size_of(DType::boolean), sizeof(bool));
  EXPECT_EQ(size_of(dtype_of<std::string>), sizeof(std::string));
  EXPECT_EQ(size_of(DType::f8e4m3fn), 1U);
  EXPECT_EQ(size_of(DType::i2), 1U);
  EXPECT_EQ(size_of(DType::map), sizeof(void*));
}

TEST(DType, Sets) {
  EXPECT_EQ(kFloats.str(), "f32, f16, f64, bf16");
  EXPECT_EQ((kFloats - types(DType::f64)).has(DType::f64), false);
  EXPECT_TRUE(is_int(DType::u64));
  EXPECT_FALSE(is_int(DType::boolean));
  EXPECT_FALSE(kAnyType.has(DType::undefined));
  EXPECT_EQ((kStored | kContainers | kAnyType).bits + 2, uint32_t{1} << kDTypeCount);
}

}  // namespace
}  // namespace tenon
