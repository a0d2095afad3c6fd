#include "base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace tenon {
namespace {

using Words = std::array<uint32_t, 4>;

// The vectors of philox4x32, 10 rounds, from kat_vectors of the Random123 distribution: counter
// words 0 and 1 are our counter, 2 and 3 our stream.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox(0, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(UINT64_MAX, UINT64_MAX, UINT64_MAX),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, ResultsDoNotDependOnTheOrder) {
  const Words late = philox(7, 1000);
  philox(7, 3);
  EXPECT_EQ(philox(7, 1000), late);
  EXPECT_NE(philox(7, 1000, 1), late);
  EXPECT_NE(philox(8, 1000), late);
}

TEST(Philox, UnitNumbersStayBelowOne) {
  EXPECT_EQ(to_unit_float(0), 0.0F);
  EXPECT_LT(to_unit_float(UINT32_MAX), 1.0F);
  EXPECT_EQ(to_unit_double(0, 0), 0.0);
  EXPECT_LT(to_unit_double(UINT32_MAX, UINT32_MAX), 1.0);
}

TEST(Generator, ContinuesFromItsState) {
  Generator generator(42);
  for (int i = 0; i < 5; ++i) generator.next_u32();
  const Generator::State state = generator.state();
  const std::array<double, 2> expected{generator.normal(), generator.uniform()};
  Generator other;
  other.set_state(state);
  EXPECT_EQ(other.normal(), expected[0]);
  EXPECT_EQ(other.uniform(), static_cast<float>(expected[1]));
  EXPECT_EQ(other.reserve(10).offset, 7U);
  EXPECT_EQ(other.state().offset, 17U);
}

TEST(Generator, NormalHasItsMoments) {
  Generator generator(1);
  constexpr int kDraws = 50'000;
  double sum = 0, squares = 0, fourth = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = generator.normal();
    sum += x, squares += x * x, fourth += x * x * x * x;
  }
  // Four standard errors of each: 1, sqrt(2) and sqrt(96) over sqrt(n).
  const double error = 4 / std::sqrt(kDraws);
  EXPECT_NEAR(sum / kDraws, 0, error);
  EXPECT_NEAR(squares / kDraws, 1, std::sqrt(2.0) * error);
  EXPECT_NEAR(fourth / kDraws, 3, std::sqrt(96.0) * error);
}

TEST(Generator, BelowIsEvenAndInRange) {
  Generator generator(3);
  EXPECT_EQ(generator.below(1), 0U);
  std::array<int, 6> counts{};
  constexpr int kDraws = 60'000;
  for (int i = 0; i < kDraws; ++i) ++counts.at(generator.below(6));
  double chi2 = 0;
  for (int count : counts) chi2 += std::pow(count - 10'000, 2) / 10'000;
  EXPECT_LT(chi2, 20.5) << "5 degrees of freedom, one in a thousand";
  for (int i = 0; i < 1000; ++i)
    EXPECT_LT(generator.below((uint64_t{1} << 63) + 1), (uint64_t{1} << 63) + 1);
}

}  // namespace
}  // namespace tenon
