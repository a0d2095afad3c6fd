// Philox4x32-10 and what is drawn from it.
#include "base/random.h"

#include <cmath>
#include <numbers>

namespace tenon {

// Multipliers and key increments: Salmon et al. 2011, table 2 and section 3.3 (the Weyl constants
// are the golden ratio and sqrt(3) - 1).
std::array<uint32_t, 4> philox(uint64_t seed, uint64_t counter, uint64_t stream) {
  auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  std::array<uint32_t, 4> x{low(counter), high(counter), low(stream), high(stream)};
  uint32_t key0 = low(seed);
  uint32_t key1 = high(seed);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xd2511f53U} * x[0];
    const uint64_t p1 = uint64_t{0xcd9e8d57U} * x[2];
    x = {high(p1) ^ x[1] ^ key0, low(p1), high(p0) ^ x[3] ^ key1, low(p0)};
    key0 += 0x9e3779b9U;
    key1 += 0xbb67ae85U;
  }
  return x;
}

// Box and Muller, "A note on the generation of random normal deviates", 1958; the sine half is
// left unused so that each draw takes one counter.
double Generator::normal() {
  const std::array<uint32_t, 4> bits = philox(seed_, offset_++);
  const double radius = std::sqrt(-2.0 * std::log(1.0 - to_unit_double(bits[0], bits[1])));
  return radius * std::cos(2.0 * std::numbers::pi * to_unit_double(bits[2], bits[3]));
}

// Lemire, "Fast random integer generation in an interval", 2019: the high half of bits * bound,
// drawing again in the few cases that would favour some results.
uint64_t Generator::below(uint64_t bound) {
  if (bound <= 1) return 0;
  const uint64_t unfair = (0 - bound) % bound;
  while (true) {
    const std::array<uint32_t, 4> bits = philox(seed_, offset_++);
    const uint64_t draw = uint64_t{bits[0]} << 32 | bits[1];
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(draw) * bound;
    if (static_cast<uint64_t>(product) >= unfair) return static_cast<uint64_t>(product >> 64);
  }
}

}  // namespace tenon
