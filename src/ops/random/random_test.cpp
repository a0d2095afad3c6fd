// What the drawn numbers are like: with these seeds the figures are always the same, and lie well
// within four standard errors.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "ops/random/catalog.h"
#include "runtime/random.h"

namespace tenon {

namespace {

struct Moments {
  double mean = 0, variance = 0, skew = 0, kurtosis = 0;

  explicit Moments(const Tensor& x) {
    const auto values = x.to_vector<double>();
    const auto count = static_cast<double>(values.size());
    for (const double v : values) mean += v / count;
    for (const double v : values) {
      const double d = v - mean;
      variance += d * d / count;
      skew += d * d * d / count;
      kurtosis += d * d * d * d / count;
    }
    skew /= std::pow(variance, 1.5);
    kurtosis /= variance * variance;
  }
};

constexpr int64_t kCount = 40000;

TEST(RandomOperators, NormalNumbersHaveTheirMoments) {
  const Moments m(op::RandomNormal.all(
      {}, {{"shape", {kCount}}, {"mean", 3.0}, {"scale", 2.0}, {"seed", 1.0}})[0]);
  EXPECT_NEAR(m.mean, 3, 4 * 2 / std::sqrt(kCount));
  EXPECT_NEAR(m.variance, 4, 4 * 4 * std::sqrt(2.0 / kCount));
  EXPECT_NEAR(m.skew, 0, 4 * std::sqrt(6.0 / kCount));
  EXPECT_NEAR(m.kurtosis, 3, 4 * std::sqrt(24.0 / kCount));
}

TEST(RandomOperators, UniformNumbersFillTheirRange) {
  const Tensor x = op::RandomUniform.all(
      {}, {{"shape", {kCount}}, {"low", -1.0}, {"high", 3.0}, {"seed", 2.0}})[0];
  const Moments m(x);
  EXPECT_NEAR(m.mean, 1, 4 * std::sqrt(16.0 / 12 / kCount));
  EXPECT_NEAR(m.variance, 16.0 / 12, 0.03);
  for (const double v : x.to_vector<double>()) {
    EXPECT_GE(v, -1);
    EXPECT_LE(v, 3);
  }
}

TEST(RandomOperators, BernoulliIsOneAsOftenAsItsProbability) {
  const Tensor y = op::Bernoulli(Tensor::full({kCount}, 0.3), {{"seed", 3.0}});
  EXPECT_NEAR(Moments(y).mean, 0.3, 4 * std::sqrt(0.21 / kCount));
}

TEST(RandomOperators, MultinomialDrawsByProbability) {
  const Tensor logits = Tensor::from<float>({0, std::log(2.0F), -INFINITY, std::log(5.0F)}, {1, 4});
  const Tensor y = op::Multinomial(logits, {{"sample_size", kCount}, {"seed", 4.0}});
  std::map<int64_t, double> share;
  for (const int64_t c : y.to_vector<int64_t>()) share[c] += 1.0 / kCount;
  EXPECT_NEAR(share[0], 1.0 / 8, 0.007);
  EXPECT_NEAR(share[1], 2.0 / 8, 0.009);
  EXPECT_EQ(share.count(2), 0U);
  EXPECT_NEAR(share[3], 5.0 / 8, 0.01);
}

TEST(RandomOperators, ASeedRepeatsAndTheStreamGoesOn) {
  const Tensor x = Tensor::zeros({5});
  const auto draw = [&](const Attrs& attrs) {
    return op::RandomNormalLike(x, attrs).to_vector<float>();
  };
  EXPECT_EQ(draw({{"seed", 7.0}}), draw({{"seed", 7.0}}));
  EXPECT_NE(draw({{"seed", 7.0}}), draw({{"seed", 8.0}}));
  manual_seed(1);
  const auto first = draw({}), second = draw({});
  EXPECT_NE(first, second);
  manual_seed(1);
  EXPECT_EQ(draw({}), first);
}

}  // namespace

}  // namespace tenon
