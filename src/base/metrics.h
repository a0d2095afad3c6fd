// Numbers about a running process: counters, gauges and histograms, each with labels, and their
// text form for Prometheus. Updating one is an atomic operation; look a metric up once and keep the
// reference, which stays valid as long as the registry.
//
//   auto& requests = metrics::registry().counter("tenon_requests_total", "Requests answered.",
//                                                {{"model", "resnet"}});
//   requests.add();
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenon::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;

// Only goes up.
class Counter {
 public:
  void add(double amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

struct HistogramValue {
  std::vector<double> bounds;    // upper bounds of the buckets, inclusive; the last one is infinite
  std::vector<uint64_t> counts;  // one more than bounds; not cumulative
  double sum = 0;
  uint64_t count() const;
  double mean() const;  // 0 when empty
  // An estimate, linear within its bucket; `q` from 0 to 1. 0 when empty.
  double quantile(double q) const;
};

class Histogram {
 public:
  // `bounds` ascending.
  explicit Histogram(std::vector<double> bounds);
  void observe(double value);
  HistogramValue value() const;

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<uint64_t>[]> counts_;
  std::atomic<double> sum_{0};
};

// start, start*factor, ... : `count` bounds.
std::vector<double> exponential_bounds(double start, double factor, int count);
// For latencies in seconds: 100 us to 52 s, each bound twice the one before.
std::vector<double> latency_bounds();

enum class Kind { counter, gauge, histogram };
struct Series {
  Labels labels;
  double value = 0;          // of a counter or gauge
  HistogramValue histogram;  // of a histogram
};
struct Family {
  std::string name;
  std::string help;
  Kind kind = Kind::counter;
  std::vector<Series> series;
};

// Thread-safe. Asking again for the same name and labels gives the same metric; asking for it as
// another kind, or a name outside [a-zA-Z_:][a-zA-Z0-9_:]*, is a bug. Label values may be any text.
class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                       const Labels& labels = {});

  // Values now, families by name, series in the order they were made.
  std::vector<Family> snapshot() const;
  // Prometheus text exposition format 0.0.4.
  std::string prometheus() const;

  // Series a family may have; label values from outside must not fill the memory. Further ones
  // share one series whose label values are all "_other".
  static constexpr size_t kMaxSeries = 2000;

 private:
  struct FamilyEntry;
  template <class Metric>
  Metric& find(Kind kind, std::string_view name, std::string_view help, const Labels& labels,
               const std::vector<double>& bounds);

  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<FamilyEntry>, std::less<>> families_;
};

// The one of this process, which the server exposes.
Registry& registry();

std::string prometheus_text(std::span<const Family> families);

}  // namespace tenon::metrics
