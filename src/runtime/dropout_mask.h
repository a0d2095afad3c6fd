// Which elements Dropout keeps: the same on every backend and for every number of threads.
#pragma once

#include "base/error.h"
#include "base/random.h"

namespace tenon {

// Counters that a mask of `count` elements uses: each gives the bits of four elements.
inline uint64_t dropout_counters(int64_t count) { return (static_cast<uint64_t>(count) + 3) / 4; }

// The place from which a call draws. A seed of its own replaces the generator's; the offset stays,
// so that calls in turn differ.
inline Generator::State dropout_state(Generator::State drawn, bool own_seed, int64_t seed) {
  return own_seed ? Generator::State{static_cast<uint64_t>(seed), drawn.offset} : drawn;
}

// Random bits of elements 4 * block to 4 * block + 3.
inline std::array<uint32_t, 4> dropout_bits(Generator::State state, uint64_t block) {
  return philox(state.seed, state.offset + block);
}

// The ratio itself, which must be a probability (1 drops everything).
inline double dropout_ratio(double ratio) {
  TENON_CHECK(ratio >= 0 && ratio <= 1, usage, "Dropout: ratio is {}; it must be from 0 to 1",
              ratio);
  return ratio;
}

inline bool dropout_keeps(uint32_t bits, double ratio) { return to_unit_float(bits) >= ratio; }

}  // namespace tenon
