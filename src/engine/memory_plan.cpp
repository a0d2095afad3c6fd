#include "engine/memory_plan.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace tenon::engine {

namespace {

constexpr int64_t kAlignment = 64;

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

int64_t largest_live_set(std::span<const Lifetime> blocks) {
  std::map<int32_t, int64_t> changes;
  for (const Lifetime& block : blocks) {
    changes[block.first] += aligned(block.bytes);
    changes[block.last + 1] -= aligned(block.bytes);
  }
  int64_t live = 0, most = 0;
  for (const auto& [step, change] : changes) most = std::max(most, live += change);
  return most;
}

}  // namespace

MemoryPlan plan_memory(std::span<const Lifetime> blocks, bool share) {
  MemoryPlan plan;
  plan.offsets.assign(blocks.size(), 0);
  plan.live_bytes = largest_live_set(blocks);
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](size_t i) { return blocks[i].bytes; });
  std::vector<size_t> placed;  // by offset
  for (size_t i : order) {
    const Lifetime& block = blocks[i];
    int64_t at = 0;
    for (size_t other : placed) {
      const bool together =
          !share || (blocks[other].first <= block.last && block.first <= blocks[other].last);
      if (!together) continue;
      if (plan.offsets[other] - at >= aligned(block.bytes)) break;
      at = std::max(at, plan.offsets[other] + aligned(blocks[other].bytes));
    }
    plan.offsets[i] = at;
    plan.bytes = std::max(plan.bytes, at + aligned(block.bytes));
    placed.insert(
        std::ranges::upper_bound(placed, at, {}, [&](size_t p) { return plan.offsets[p]; }), i);
  }
  return plan;
}

}  // namespace tenon::engine
