// Items kept in memory once read.
#include <array>
#include <atomic>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "data/decorators.h"
#include "data/decorators/decorator.h"

namespace tenon::data {

namespace {

class Cache final : public Decorator {
 public:
  Cache(SourcePtr inner, int64_t max_bytes)
      : Decorator(std::move(inner)), left_(max_bytes), kept_(static_cast<size_t>(size())) {}

 private:
  // Two threads that miss the same item both read it, and one result is kept: they are equal.
  Sample read_item(int64_t index, int64_t epoch) const override {
    const auto at = static_cast<size_t>(index);
    std::mutex& mutex = mutexes_[at % mutexes_.size()];
    {
      const std::lock_guard lock(mutex);
      if (kept_[at]) return *kept_[at];
    }
    Sample sample = item_of(inner(), index, epoch);
    int64_t bytes = 0;
    for (const auto& [name, value] : sample) bytes += static_cast<int64_t>(value.bytes());
    const std::lock_guard lock(mutex);
    if (kept_[at]) return sample;
    if (left_.fetch_sub(bytes) >= bytes)
      kept_[at] = sample;
    else
      left_.fetch_add(bytes);
    return sample;
  }

  mutable std::array<std::mutex, 64> mutexes_;  // item i is guarded by number i % 64
  mutable std::atomic<int64_t> left_;
  mutable std::vector<std::optional<Sample>> kept_;
};

}  // namespace

SourcePtr cache(SourcePtr source, int64_t max_bytes) {
  TENON_CHECK(!source->varies(), usage,
              "cache: its source gives other samples every epoch, and the first would be kept for "
              "good; put "
              "cache under shuffle and random transforms");
  TENON_CHECK(max_bytes >= 0, usage, "cache: {} bytes is negative; use 0 or more", max_bytes);
  return std::make_shared<Cache>(std::move(source), max_bytes);
}

}  // namespace tenon::data
