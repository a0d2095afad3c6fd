#include "base/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "base/error.h"
#include "base/text.h"

namespace tenon::metrics {
namespace {

TEST(Metrics, CountFromSeveralThreads) {
  Registry registry;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&registry, t] {
      for (int i = 0; i < 500; ++i) {
        registry.counter("requests_total", "Requests.").add();
        registry.gauge("queue", "Queue.", {{"t", std::to_string(t)}}).set(i);
        registry.histogram("seconds", "Time.", {1, 2}).observe(1.5);
        if (i % 100 == 0) (void)registry.prometheus();
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(registry.counter("requests_total", "").value(), 2000);
  EXPECT_EQ(registry.gauge("queue", "", {{"t", "3"}}).value(), 499);
  const HistogramValue value = registry.histogram("seconds", "", {}).value();
  EXPECT_EQ(value.counts, (std::vector<uint64_t>{0, 2000, 0}));
  EXPECT_EQ(value.sum, 3000);
}

TEST(Metrics, AreFoundByNameAndLabels) {
  Registry registry;
  Counter& first = registry.counter("a_total", "A.", {{"x", "1"}, {"y", "2"}});
  EXPECT_EQ(&registry.counter("a_total", "", {{"y", "2"}, {"x", "1"}}), &first);
  EXPECT_NE(&registry.counter("a_total", "", {{"x", "2"}, {"y", "1"}}), &first);
  EXPECT_THROW(registry.gauge("a_total", ""), Error);
  EXPECT_THROW(registry.counter("no-dash", ""), Error);
  EXPECT_THROW(registry.counter("0digit", ""), Error);
  EXPECT_THROW(registry.counter("a_total", "", {{"bad:label", ""}}), Error);
  EXPECT_THROW(registry.histogram("h", "", {1}, {{"le", ""}}), Error);
  EXPECT_THROW(Histogram({2, 1}), Error);
  EXPECT_EQ(&metrics::registry(), &metrics::registry());
}

TEST(Metrics, LabelsFromOutsideCannotFillTheMemory) {
  Registry registry;
  for (size_t i = 0; i < Registry::kMaxSeries + 100; ++i)
    registry.counter("requests_total", "", {{"model", std::to_string(i)}}).add();
  const std::vector<Family> families = registry.snapshot();
  ASSERT_EQ(families[0].series.size(), Registry::kMaxSeries + 1);
  EXPECT_EQ(families[0].series.back().labels[0].second, "_other");
  EXPECT_EQ(families[0].series.back().value, 100);
}

TEST(Histogram, BucketsIncludeTheirBound) {
  Histogram histogram({1, 10, 100});
  for (double value : {0.5, 1.0, 1.01, 10.0, 1000.0}) histogram.observe(value);
  const HistogramValue value = histogram.value();
  EXPECT_EQ(value.counts, (std::vector<uint64_t>{2, 2, 0, 1}));
  EXPECT_EQ(value.count(), 5U);
  EXPECT_DOUBLE_EQ(value.mean(), 1012.51 / 5);
}

TEST(Histogram, QuantilesAreEstimated) {
  Histogram histogram({10, 20, 30});
  EXPECT_EQ(histogram.value().quantile(0.5), 0) << "empty";
  for (int i = 1; i <= 30; ++i) histogram.observe(i);
  const HistogramValue value = histogram.value();
  EXPECT_DOUBLE_EQ(value.quantile(0.5), 15);
  EXPECT_DOUBLE_EQ(value.quantile(0.9), 27);
  EXPECT_DOUBLE_EQ(value.quantile(0), 0);
  EXPECT_DOUBLE_EQ(value.quantile(1), 30);
  histogram.observe(1e9);
  EXPECT_DOUBLE_EQ(histogram.value().quantile(1), 30) << "the last finite bound";
}

TEST(Histogram, BoundsForLatencies) {
  const std::vector<double> bounds = latency_bounds();
  EXPECT_EQ(bounds.size(), 20U);
  EXPECT_DOUBLE_EQ(bounds.front(), 100e-6);
  EXPECT_NEAR(bounds.back(), 52.4, 0.1);
}

TEST(Prometheus, TextFollowsTheFormat) {
  Registry registry;
  registry.counter("tenon_requests_total", "Requests\nanswered.", {{"model", "a\"b\\c\nd"}}).add(3);
  registry.counter("tenon_requests_total", "", {{"model", "x\xff"}}).add(0.5);
  registry.gauge("tenon_queue", "Waiting.").set(-std::numeric_limits<double>::infinity());
  Histogram& latency = registry.histogram("tenon_seconds", "", {0.001, 0.5}, {{"model", "m"}});
  latency.observe(0.0005);
  latency.observe(0.25);
  latency.observe(7);
  EXPECT_EQ(registry.prometheus(),
            "# HELP tenon_queue Waiting.\n"
            "# TYPE tenon_queue gauge\n"
            "tenon_queue -Inf\n"
            "# HELP tenon_requests_total Requests\\nanswered.\n"
            "# TYPE tenon_requests_total counter\n"
            "tenon_requests_total{model=\"a\\\"b\\\\c\\nd\"} 3\n"
            "tenon_requests_total{model=\"x\\\\xff\"} 0.5\n"
            "# TYPE tenon_seconds histogram\n"
            "tenon_seconds_bucket{model=\"m\",le=\"0.001\"} 1\n"
            "tenon_seconds_bucket{model=\"m\",le=\"0.5\"} 2\n"
            "tenon_seconds_bucket{model=\"m\",le=\"+Inf\"} 3\n"
            "tenon_seconds_sum{model=\"m\"} 7.2505\n"
            "tenon_seconds_count{model=\"m\"} 3\n");
}

}  // namespace
}  // namespace tenon::metrics
