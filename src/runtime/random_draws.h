// What operators that draw random numbers take from the stream: the same on every backend and for
// every number of threads. A block of one counter gives two numbers.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>
#include <span>

#include "base/error.h"
#include "base/random.h"
#include "ops/op.h"

namespace tenon {

// Counters for `count` numbers.
inline uint64_t draw_counters(int64_t count) { return (static_cast<uint64_t>(count) + 1) / 2; }

// Where a call draws from: the start of its own seed's stream, where it has one.
struct DrawSeed {
  bool given = false;
  uint64_t seed = 0;

  explicit DrawSeed(const Call& call) : given(call.has("seed")) {
    if (given) seed = std::bit_cast<uint32_t>(static_cast<float>(call.f("seed")));
  }
  Generator::State state(Generator::State drawn) const {
    return given ? Generator::State{seed, 0} : drawn;
  }
};

// Numbers 2 * block and 2 * block + 1, evenly distributed in [0, 1).
inline std::array<double, 2> even_pair(Generator::State state, uint64_t block) {
  const auto words = philox(state.seed, state.offset + block);
  return {to_unit_double(words[0], words[1]), to_unit_double(words[2], words[3])};
}

// As above, of mean 0 and variance 1 (Box and Muller, "A note on the generation of random normal
// deviates", 1958); 1 - u is never 0.
inline std::array<double, 2> normal_pair(Generator::State state, uint64_t block) {
  const auto [u, v] = even_pair(state, block);
  const double radius = std::sqrt(-2 * std::log(1 - u)), angle = 2 * std::numbers::pi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

inline double checked_probability(double p) {
  TENON_CHECK(p >= 0 && p <= 1, usage,
              "Bernoulli: probability {} is outside 0 to 1; give "
              "probabilities, as Sigmoid makes them",
              p);
  return p;
}

// Sums of the probabilities of the first classes, up to 1 (as many as logits), from unnormalised
// log-probabilities.
inline void add_up_classes(std::span<const double> logits, int64_t row, std::span<double> sums) {
  const double greatest = *std::ranges::max_element(logits);
  double sum = 0;
  for (size_t c = 0; c < logits.size(); ++c) sums[c] = sum += std::exp(logits[c] - greatest);
  TENON_CHECK(std::isfinite(sum), usage,
              "Multinomial: row {} gives no class a probability (or one that is not finite); give "
              "finite log-probabilities",
              row);
  for (double& value : sums) value /= sum;
}

// The class that a number of [0, 1) falls into; one without a share is never drawn.
inline int64_t drawn_class(std::span<const double> sums, double number) {
  return std::min<int64_t>(std::ranges::upper_bound(sums, number) - sums.begin(),
                           static_cast<int64_t>(sums.size()) - 1);
}

}  // namespace tenon
