#include "graph/quantize/histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"

namespace tenon {
namespace {

using graph::Calibrator;
using graph::Histogram;
using graph::Range;

std::vector<float> normal(size_t count, float spread) {
  Generator generator(3);
  std::vector<float> values(count);
  for (float& value : values) {
    double sum = 0;  // of twelve: nearly normal, of variance 1
    for (int i = 0; i < 12; ++i) sum += generator.uniform();
    value = static_cast<float>((sum - 6) * static_cast<double>(spread));
  }
  return values;
}

// The mean square error of values in 256 steps of a range.
double error_of(const std::vector<float>& values, Range range) {
  const double step = (range.high - range.low) / 255;
  double sum = 0;
  for (float value : values) {
    const auto x = static_cast<double>(value);
    const double clipped = std::min(std::max(x, range.low), range.high);
    const double rounded = std::nearbyint((clipped - range.low) / step) * step + range.low;
    sum += (x - rounded) * (x - rounded);
  }
  return sum / static_cast<double>(values.size());
}

TEST(Histogram, GrowsWithWhatItSees) {
  Histogram histogram;
  for (const float value : {0.001F, -0.5F, 3.0F, 100.0F}) histogram.add({&value, 1});
  EXPECT_EQ(histogram.count(), 4U);
  const Range range = histogram.range(Calibrator::min_max, 0, 256);
  EXPECT_DOUBLE_EQ(range.low, -0.5);
  EXPECT_DOUBLE_EQ(range.high, 100);
}

TEST(Histogram, LeavesOutWhatIsNotANumber) {
  Histogram histogram;
  const std::vector<float> values{std::nanf(""), INFINITY, -INFINITY, 2, 0};
  histogram.add(values);
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_DOUBLE_EQ(histogram.extremes().high, 2);
}

TEST(Histogram, KnowsNothingOfNothing) {
  Histogram histogram;
  const std::vector<float> zeros(10, 0.0F);
  histogram.add(zeros);
  for (const Calibrator how :
       {Calibrator::min_max, Calibrator::percentile, Calibrator::entropy, Calibrator::mse}) {
    const Range range = histogram.range(how, 99.9, 256);
    EXPECT_EQ(range.low, 0);
    EXPECT_EQ(range.high, 0);
  }
}

TEST(Histogram, CutsTheTails) {
  Histogram histogram;
  std::vector<float> values;
  for (int i = 0; i < 10000; ++i) values.push_back(static_cast<float>(i) / 10000);
  values.push_back(1000);
  histogram.add(values);
  const Range range = histogram.range(Calibrator::percentile, 99.9, 256);
  EXPECT_EQ(range.low, 0);
  EXPECT_NEAR(range.high, 1, 0.3);  // a bin is 0.24 wide
}

TEST(Histogram, IgnoresOutliersByErrorAndByEntropy) {
  std::vector<float> values = normal(200'000, 1);
  values.push_back(60);
  values.push_back(-45);
  Histogram histogram;
  histogram.add(values);
  const Range entropy = histogram.range(Calibrator::entropy, 0, 256);
  EXPECT_LT(entropy.high, 10);
  EXPECT_GT(entropy.high, 2);
  EXPECT_LT(entropy.low, -2);
  // The least error cuts the outliers as far as that pays, no further.
  const Range least = histogram.range(Calibrator::mse, 0, 256);
  const double error = error_of(values, least);
  EXPECT_LT(error, 0.7 * error_of(values, histogram.extremes()));
  EXPECT_LT(error, error_of(values, entropy));
}

TEST(Histogram, OfOneSideHasOneSide) {
  std::vector<float> values = normal(50'000, 1);
  for (float& value : values) value = std::max(value, 0.0F);
  Histogram histogram;
  histogram.add(values);
  for (const Calibrator how :
       {Calibrator::min_max, Calibrator::percentile, Calibrator::entropy, Calibrator::mse}) {
    const Range range = histogram.range(how, 99.99, 256);
    EXPECT_EQ(range.low, 0) << static_cast<int>(how);
    EXPECT_GT(range.high, 2) << static_cast<int>(how);
  }
}

}  // namespace
}  // namespace tenon
