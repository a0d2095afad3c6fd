// Where the intermediate values of a plan lie in one block of memory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tenon::engine {

// A block of memory that is needed from step `first` to step `last`, both included.
struct Lifetime {
  int64_t bytes = 0;
  int32_t first = 0, last = 0;
};

struct MemoryPlan {
  std::vector<int64_t> offsets;  // one a block, multiples of 64
  int64_t bytes = 0;             // of the whole
  int64_t live_bytes = 0;        // the largest sum of blocks needed at one step
};

// Blocks that are needed at the same time do not overlap. Largest first, each at the lowest offset
// where it fits (Pisarchyk and Lee 2020, "Efficient memory management for deep neural net
// inference": greedy by size). `share` false: nothing overlaps.
MemoryPlan plan_memory(std::span<const Lifetime> blocks, bool share = true);

}  // namespace tenon::engine
