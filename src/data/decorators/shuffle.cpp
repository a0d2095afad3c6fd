// A random order, new every epoch or fixed for good.
#include <array>
#include <mutex>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "data/decorators.h"
#include "data/decorators/decorator.h"

namespace tenon::data {

namespace {

using Order = std::shared_ptr<const std::vector<int64_t>>;

// Items are never negative, so no transform draws from this stream of the same seed (data/draw.h).
constexpr uint64_t kStream = ~uint64_t{0};

// Fisher-Yates. `left` of at most 2^32 times a 64-bit fraction: off uniform by 2^-32 at most.
Order permutation(int64_t count, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (size_t left = order.size(); left > 1; --left) {
    const auto bits = philox(seed, static_cast<uint64_t>(epoch) << 32 | left, kStream);
    const size_t other = (bits[0] * uint64_t{left} + (bits[1] * uint64_t{left} >> 32)) >> 32;
    std::swap(order[left - 1], order[other]);
  }
  return std::make_shared<const std::vector<int64_t>>(std::move(order));
}

class Shuffle final : public Remap {
 public:
  Shuffle(SourcePtr inner, uint64_t seed, bool once)
      : Remap(inner, inner->size()), seed_(seed), once_(once) {}

  bool varies() const override { return !once_ || Remap::varies(); }

 private:
  void map(std::span<int64_t> indices, int64_t epoch) const override {
    const Order order = order_of(once_ ? 0 : epoch);
    for (int64_t& index : indices) index = (*order)[static_cast<size_t>(index)];
  }

  // Two epochs are kept: a loader prefetches the first batches of the next one.
  Order order_of(int64_t epoch) const {
    const std::lock_guard lock(mutex_);
    for (const Kept& kept : kept_)
      if (kept.order && kept.epoch == epoch) return kept.order;
    kept_[1] = std::exchange(kept_[0], {epoch, permutation(size(), seed_, epoch)});
    return kept_[0].order;
  }

  struct Kept {
    int64_t epoch = 0;
    Order order;
  };

  uint64_t seed_;
  bool once_;
  mutable std::mutex mutex_;
  mutable std::array<Kept, 2> kept_;
};

SourcePtr make(SourcePtr source, uint64_t seed, bool once) {
  TENON_CHECK(source->size() < int64_t{1} << 32, unsupported,
              "shuffle: {} items are more than 2^32 - 1; shuffle the files that hold them instead",
              source->size());
  return std::make_shared<Shuffle>(std::move(source), seed, once);
}

}  // namespace

SourcePtr shuffle(SourcePtr source, uint64_t seed) { return make(std::move(source), seed, false); }
SourcePtr shuffle_once(SourcePtr source, uint64_t seed) {
  return make(std::move(source), seed, true);
}

}  // namespace tenon::data
