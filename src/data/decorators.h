// Sources over other sources. Each is thread-safe and depends on its arguments, the epoch and the
// index alone; see data/source.h for how they stack.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/source.h"

namespace tenon::data {

// All items in an order that is new every epoch: a Fisher-Yates shuffle by Philox, keyed by (seed,
// epoch).
SourcePtr shuffle(SourcePtr source, uint64_t seed);
// All items in one random order, the same in every epoch.
SourcePtr shuffle_once(SourcePtr source, uint64_t seed);

// Items first, first + step, ..., below `end`; fails (usage) unless 0 <= first <= end <= size().
SourcePtr slice(SourcePtr source, int64_t first, int64_t end, int64_t step = 1);
// The first `count` items, or all if there are fewer.
SourcePtr take(SourcePtr source, int64_t count);
// Consecutive parts in the given proportions, which add up to 1 (usage). Items that lie sorted by
// class are shuffled first:
//   auto parts = split(shuffle_once(all, 1), std::array{0.9, 0.1});
std::vector<SourcePtr> split(const SourcePtr& source, std::span<const double> fractions);

// What one of `count` processes reads: items rank, rank + count, ... All ranks get equally many, so
// that they take equally many steps; up to count - 1 items at the end are read by none, unless
// `uneven`, where each item is read by exactly one rank.
SourcePtr shard(SourcePtr source, int64_t rank, int64_t count, bool uneven = false);

// Item i is items i*size .. of the source along a leading axis; the last may be smaller.
SourcePtr batch(SourcePtr source, int64_t size, bool drop_last = false);

// Keeps items once read, until they come to `max_bytes`; later ones are read anew each time. Goes
// under what differs from epoch to epoch, and fails (usage) above it.
SourcePtr cache(SourcePtr source, int64_t max_bytes = INT64_MAX);

}  // namespace tenon::data
