// Random numbers of one decision: a Philox stream keyed by (seed, epoch, item, place in the chain
// of transforms), so that a sample is the same whichever thread makes it, and in whatever order.
#pragma once

#include <array>
#include <cstdint>

#include "base/random.h"

namespace tenon::data {

class Draw {
 public:
  // `place` below 65536, `epoch` below 2^32: each stream has 65536 counters of 128 bits.
  Draw(uint64_t seed, int64_t epoch, int64_t item, uint32_t place)
      : seed_(seed),
        stream_(static_cast<uint64_t>(item)),
        counter_(static_cast<uint64_t>(epoch) << 32 | uint64_t{place} << 16) {}

  uint32_t next_u32() {
    if (left_ == 0) {
      bits_ = philox(seed_, counter_++, stream_);
      left_ = 4;
    }
    return bits_[4 - left_--];
  }
  float uniform() { return to_unit_float(next_u32()); }  // [0, 1)
  // Uniform in [0, bound), bound > 0, without bias (Lemire, "Fast random integer generation in an
  // interval", 2019).
  uint32_t below(uint32_t bound) {
    uint64_t product = uint64_t{next_u32()} * bound;
    if (static_cast<uint32_t>(product) < bound) {
      const uint32_t biased = (0U - bound) % bound;
      while (static_cast<uint32_t>(product) < biased) product = uint64_t{next_u32()} * bound;
    }
    return static_cast<uint32_t>(product >> 32);
  }

 private:
  uint64_t seed_;
  uint64_t stream_;
  uint64_t counter_;
  std::array<uint32_t, 4> bits_{};
  int left_ = 0;
};

}  // namespace tenon::data
