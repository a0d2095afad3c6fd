// The registry of metrics, and histograms.
#include "base/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <variant>

#include "base/error.h"
#include "base/text.h"

namespace tenon::metrics {

namespace {

bool is_name(std::string_view name, bool colons) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (colons && c == ':');
  });
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::counter: return "counter";
    case Kind::gauge: return "gauge";
    case Kind::histogram: return "histogram";
  }
  return "";
}

}  // namespace

// -- Histograms ------------------------------------------------------------------------------

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      counts_(std::make_unique<std::atomic<uint64_t>[]>(bounds_.size() + 1)) {
  TENON_BUG_IF(!std::is_sorted(bounds_.begin(), bounds_.end()),
               "the bounds of a histogram do not ascend");
}

void Histogram::observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

HistogramValue Histogram::value() const {
  HistogramValue value;
  value.bounds = bounds_;
  for (size_t i = 0; i <= bounds_.size(); ++i)
    value.counts.push_back(counts_[i].load(std::memory_order_relaxed));
  value.sum = sum_.load(std::memory_order_relaxed);
  return value;
}

uint64_t HistogramValue::count() const {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

double HistogramValue::mean() const {
  const uint64_t n = count();
  return n == 0 ? 0 : sum / static_cast<double>(n);
}

double HistogramValue::quantile(double q) const {
  const double rank = std::clamp(q, 0.0, 1.0) * static_cast<double>(count());
  double below = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    const auto here = static_cast<double>(counts[i]);
    if (here > 0 && below + here >= rank) {
      if (bounds.empty()) return mean();
      if (i == bounds.size()) return bounds.back();  // all that is known of the last bucket
      const double low = i > 0 ? bounds[i - 1] : std::min(0.0, bounds[0]);
      return low + (bounds[i] - low) * (rank - below) / here;
    }
    below += here;
  }
  return 0;
}

std::vector<double> exponential_bounds(double start, double factor, int count) {
  std::vector<double> bounds;
  for (double bound = start; static_cast<int>(bounds.size()) < count; bound *= factor)
    bounds.push_back(bound);
  return bounds;
}

std::vector<double> latency_bounds() { return exponential_bounds(100e-6, 2, 20); }

// -- The registry ----------------------------------------------------------------------------

struct Registry::FamilyEntry {
  struct Entry {
    Labels labels;
    std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>, std::unique_ptr<Histogram>>
        metric;
  };
  Kind kind;
  std::string help;
  std::vector<double> bounds;
  std::vector<Entry> series;
  std::map<Labels, size_t> index;  // into series
};

Registry::Registry() = default;
Registry::~Registry() = default;

template <class Metric>
Metric& Registry::find(Kind kind, std::string_view name, std::string_view help,
                       const Labels& labels, const std::vector<double>& bounds) {
  std::lock_guard lock(mutex_);
  auto it = families_.find(name);
  if (it == families_.end()) {
    TENON_BUG_IF(!is_name(name, true), "'{}' is not a name for a metric", name);
    auto family = std::make_unique<FamilyEntry>();
    family->kind = kind;
    family->help = help;
    family->bounds = bounds;
    it = families_.emplace(std::string(name), std::move(family)).first;
  }
  FamilyEntry& family = *it->second;
  TENON_BUG_IF(family.kind != kind, "metric {} is a {}, not a {}", name, kind_name(family.kind),
               kind_name(kind));

  Labels kept = labels;
  std::sort(kept.begin(), kept.end());
  auto found = family.index.find(kept);
  if (found == family.index.end()) {
    for (auto& [key, value] : kept) {
      TENON_BUG_IF(!is_name(key, false) || (kind == Kind::histogram && key == "le"),
                   "'{}' is not a label for metric {}", key, name);
      if (family.series.size() >= kMaxSeries) value = "_other";
    }
    found = family.index.find(kept);
    if (found == family.index.end()) {
      typename FamilyEntry::Entry entry{kept, {}};
      if constexpr (std::is_same_v<Metric, Histogram>)
        entry.metric = std::make_unique<Histogram>(family.bounds);
      else
        entry.metric = std::make_unique<Metric>();
      family.series.push_back(std::move(entry));
      found = family.index.emplace(std::move(kept), family.series.size() - 1).first;
    }
  }
  return *std::get<std::unique_ptr<Metric>>(family.series[found->second].metric);
}

Counter& Registry::counter(std::string_view name, std::string_view help, const Labels& labels) {
  return find<Counter>(Kind::counter, name, help, labels, {});
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  return find<Gauge>(Kind::gauge, name, help, labels, {});
}

Histogram& Registry::histogram(std::string_view name, std::string_view help,
                               std::vector<double> bounds, const Labels& labels) {
  return find<Histogram>(Kind::histogram, name, help, labels, bounds);
}

std::vector<Family> Registry::snapshot() const {
  std::lock_guard lock(mutex_);
  std::vector<Family> families;
  for (const auto& [name, entry] : families_) {
    Family& family = families.emplace_back();
    family.name = name;
    family.help = entry->help;
    family.kind = entry->kind;
    for (const FamilyEntry::Entry& from : entry->series) {
      Series& series = family.series.emplace_back();
      series.labels = from.labels;
      if (const auto* counter = std::get_if<std::unique_ptr<Counter>>(&from.metric))
        series.value = (*counter)->value();
      else if (const auto* gauge = std::get_if<std::unique_ptr<Gauge>>(&from.metric))
        series.value = (*gauge)->value();
      else
        series.histogram = std::get<std::unique_ptr<Histogram>>(from.metric)->value();
    }
  }
  return families;
}

std::string Registry::prometheus() const { return prometheus_text(snapshot()); }

Registry& registry() {
  static auto* registry =
      new Registry;  // never destroyed: threads may count while the process ends
  return *registry;
}

}  // namespace tenon::metrics
