#include "cli/tensor_difference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tenon::cli {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(TensorDifference, IsJudgedByTheLargestMagnitude) {
  const Tensor expected = Tensor::from<float>({100, -200, 0.001F}, {3});
  const Tensor got = Tensor::from<float>({100, -200, 0.101F}, {3});
  const Difference d = difference_of(got, expected, {.relative = 1e-3, .absolute = 0});
  EXPECT_TRUE(d.within) << "0.1 beside 200";
  EXPECT_NEAR(d.max_abs, 0.1, 1e-6);
  EXPECT_NEAR(d.relative, 0.0005, 1e-7);
  EXPECT_EQ(d.at, 2);
  EXPECT_FALSE(difference_of(got, expected, {.relative = 1e-4, .absolute = 0}).within);
}

TEST(TensorDifference, KnowsNanAndInfinity) {
  const Tensor a = Tensor::from<float>({kNan, kInf, -kInf, 1}, {4});
  EXPECT_TRUE(difference_of(a, a, {0, 0}).within);
  EXPECT_EQ(difference_of(a, a, {0, 0}).at, -1);
  const Tensor b = Tensor::from<float>({1, kInf, -kInf, 1}, {4});
  const Difference d = difference_of(b, a, {});
  EXPECT_FALSE(d.within);
  EXPECT_TRUE(std::isinf(d.max_abs));
  EXPECT_EQ(d.at, 0);
  EXPECT_FALSE(
      difference_of(Tensor::from<float>({kInf}, {1}), Tensor::from<float>({-kInf}, {1}), {})
          .within);
}

TEST(TensorDifference, IntegersAreEqualUnlessToldOtherwise) {
  const Tensor a = Tensor::from<int64_t>({1'000'000}, {1}),
               b = Tensor::from<int64_t>({1'000'001}, {1});
  EXPECT_FALSE(difference_of(a, b, {}).within);
  EXPECT_TRUE(difference_of(a, b, {.relative = 0, .absolute = 1}).within);
}

TEST(TensorDifference, SaysWhyThereAreNoNumbers) {
  const Tensor a = Tensor::zeros({2}), b = Tensor::zeros({3});
  const Difference d = difference_of(a, b, {});
  EXPECT_FALSE(d.within);
  EXPECT_NE(d.why.find("[2]"), std::string::npos) << d.why;
  EXPECT_TRUE(difference_of(Tensor(), Tensor(), {}).within) << "both are absent";
  EXPECT_FALSE(difference_of(a, Tensor(), {}).within);
  const Tensor s = Tensor::strings({"x"}, {1}), t = Tensor::strings({"y"}, {1});
  EXPECT_TRUE(difference_of(s, s, {}).within);
  EXPECT_FALSE(difference_of(s, t, {}).within);
}

}  // namespace
}  // namespace tenon::cli
