// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). Element i of a draw depends on (seed, offset + i) alone, so results are the
// same whatever the thread count.
#pragma once

#include <array>
#include <cstdint>

namespace tenon {

// Ten rounds over one 128-bit counter.
std::array<uint32_t, 4> philox(uint64_t seed, uint64_t counter, uint64_t stream = 0);

// The bits of 32 random bits as a float in [0, 1), 24 bits of it random.
inline float to_unit_float(uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24F; }
// Two draws as a double in [0, 1), 53 bits of it random.
inline double to_unit_double(uint32_t high, uint32_t low) {
  return static_cast<double>((uint64_t{high} << 32 | low) >> 11) * 0x1p-53;
}

// A place in a stream of counters. Copying it copies the place; state() is what a checkpoint keeps.
class Generator {
 public:
  explicit Generator(uint64_t seed = 0) : seed_(seed) {}

  struct State {
    uint64_t seed = 0;
    uint64_t offset = 0;
    bool operator==(const State&) const = default;
  };
  State state() const { return {seed_, offset_}; }
  void set_state(State state) { seed_ = state.seed, offset_ = state.offset; }

  // Reserves `counters` consecutive counters and returns where they start.
  State reserve(uint64_t counters) {
    State start = state();
    offset_ += counters;
    return start;
  }
  uint32_t next_u32() { return philox(seed_, offset_++)[0]; }
  float uniform() { return to_unit_float(next_u32()); }  // [0, 1)
  double normal();                                       // mean 0, variance 1
  // Uniform in [0, bound), without modulo bias.
  uint64_t below(uint64_t bound);

 private:
  uint64_t seed_;
  uint64_t offset_ = 0;
};

}  // namespace tenon
