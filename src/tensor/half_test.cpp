#include "tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tenon {
namespace {

template <class Half>
Half from_bits(uint32_t bits) {
  Half half;
  half.bits = static_cast<uint16_t>(bits);
  return half;
}

template <class Half>
class HalfTest : public testing::Test {};
using Halves = testing::Types<f16, bf16>;
TYPED_TEST_SUITE(HalfTest, Halves);

TYPED_TEST(HalfTest, EveryValueSurvivesTheWayThroughFloat) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto value = static_cast<float>(from_bits<TypeParam>(bits));
    const TypeParam back(value);
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(static_cast<float>(back))) << bits;
    else
      EXPECT_EQ(back.bits, bits);
  }
}

// Between any two neighbours: the middle goes to the even one, a hair off it to the nearer one.
TYPED_TEST(HalfTest, RoundsToNearestEven) {
  const uint32_t infinity = TypeParam(std::numeric_limits<float>::infinity()).bits;
  for (uint32_t bits = 0; bits + 1 < infinity; ++bits) {
    const auto low = static_cast<float>(from_bits<TypeParam>(bits));
    const auto high = static_cast<float>(from_bits<TypeParam>(bits + 1));
    ASSERT_LT(low, high);
    const float middle = low + (high - low) / 2;
    const uint32_t even = bits + (bits & 1U);
    for (const uint32_t sign : {0U, 0x8000U}) {
      const auto round = [&](float x) { return TypeParam(sign ? -x : x).bits; };
      ASSERT_EQ(round(middle), even | sign);
      ASSERT_EQ(round(std::nextafter(middle, 0.0F)), bits | sign);
      ASSERT_EQ(round(std::nextafter(middle, HUGE_VALF)), (bits + 1) | sign);
    }
  }
}

TEST(F16, Limits) {
  EXPECT_EQ(f16(65504.0F).bits, 0x7bff);
  EXPECT_EQ(f16(65519.0F).bits, 0x7bff);
  EXPECT_EQ(f16(65520.0F).bits, 0x7c00);
  EXPECT_EQ(f16(-1e30F).bits, 0xfc00);
  EXPECT_EQ(f16(1.0F).bits, 0x3c00);
  EXPECT_EQ(f16(0x1p-24F).bits, 1);
  EXPECT_EQ(f16(0x1p-25F).bits, 0);
  EXPECT_EQ(f16(-0.0F).bits, 0x8000);
}

TEST(BF16, Limits) {
  EXPECT_EQ(bf16(std::numeric_limits<float>::max()).bits, 0x7f80);
  EXPECT_EQ(bf16(1.0F).bits, 0x3f80);
  EXPECT_EQ(bf16(-0.0F).bits, 0x8000);
  EXPECT_TRUE(std::isnan(static_cast<float>(bf16(std::bit_cast<float>(0x7f800001U)))));
}

}  // namespace
}  // namespace tenon
