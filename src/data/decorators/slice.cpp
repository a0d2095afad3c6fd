// Every step-th item of a range: slices, heads, proportional parts and the share of one process.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data/decorators.h"
#include "data/decorators/decorator.h"

namespace tenon::data {

namespace {

class Slice final : public Remap {
 public:
  Slice(SourcePtr inner, int64_t first, int64_t size, int64_t step)
      : Remap(std::move(inner), size), first_(first), step_(step) {}

 private:
  void map(std::span<int64_t> indices, int64_t) const override {
    for (int64_t& index : indices) index = first_ + index * step_;
  }

  int64_t first_;
  int64_t step_;
};

}  // namespace

SourcePtr slice(SourcePtr source, int64_t first, int64_t end, int64_t step) {
  TENON_CHECK(0 <= first && first <= end && end <= source->size(), usage,
              "slice: {} to {} is outside the {} items of the source; use 0 <= first <= end <= {}",
              first, end, source->size(), source->size());
  TENON_CHECK(step >= 1, usage, "slice: step {} is not positive; use 1 for every item", step);
  const int64_t size = (end - first + step - 1) / step;
  return std::make_shared<Slice>(std::move(source), first, size, step);
}

SourcePtr take(SourcePtr source, int64_t count) {
  TENON_CHECK(count >= 0, usage, "take: {} items is negative; use 0 or more", count);
  const int64_t end = std::min(count, source->size());
  return slice(std::move(source), 0, end);
}

std::vector<SourcePtr> split(const SourcePtr& source, std::span<const double> fractions) {
  double total = 0;
  for (const double fraction : fractions) {
    TENON_CHECK(fraction > 0, usage, "split: fraction {} is not positive; leave the part out",
                fraction);
    total += fraction;
  }
  TENON_CHECK(
      std::abs(total - 1) < 1e-6, usage,
      "split: the fractions add up to {}; they are shares of all items, so make them add up to 1",
      total);
  std::vector<SourcePtr> parts;
  int64_t first = 0;
  double covered = 0;
  for (size_t i = 0; i < fractions.size(); ++i) {
    covered += fractions[i];
    const int64_t end = i + 1 == fractions.size()
                            ? source->size()
                            : std::llround(covered / total * static_cast<double>(source->size()));
    parts.push_back(slice(source, first, end));
    first = end;
  }
  return parts;
}

SourcePtr shard(SourcePtr source, int64_t rank, int64_t count, bool uneven) {
  TENON_CHECK(count >= 1 && rank >= 0 && rank < count, usage,
              "shard: rank {} of {} does not exist; ranks are 0 to {}", rank, count, count - 1);
  const int64_t all = source->size();
  const int64_t size = uneven ? (all - rank + count - 1) / count : all / count;
  return std::make_shared<Slice>(std::move(source), rank, size, count);
}

}  // namespace tenon::data
