#include "tensor/caching_allocator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>

#include "base/error.h"
#include "tensor/object_pool.h"
#include "tensor/tensor.h"

namespace tenon {
namespace {

Allocator& memory() { return cpu_device().allocator(); }

TEST(CachingAllocator, BlocksAreAlignedAndWritable) {
  for (const size_t bytes :
       {0UL, 1UL, 63UL, 64UL, 65UL, 1024UL, 1025UL, 16384UL, 16385UL, 1000000UL, 5000000UL}) {
    void* block = memory().allocate(bytes);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0U) << bytes;
    std::memset(block, 0xff, bytes);
    memory().free(block, bytes);
  }
}

TEST(CachingAllocator, CountsWhatIsInUse) {
  const MemoryStats before = memory().stats();
  void* small = memory().allocate(100);
  void* large = memory().allocate(3000000);
  const MemoryStats during = memory().stats();
  EXPECT_EQ(during.in_use - before.in_use, 3000100);
  EXPECT_EQ(during.allocations - before.allocations, 2);
  EXPECT_GE(during.reserved, during.in_use);
  EXPECT_GE(during.fragmentation, 0);
  EXPECT_LE(during.fragmentation, 1);
  memory().free(small, 100);
  memory().free(large, 3000000);
  EXPECT_EQ(memory().stats().in_use, before.in_use);
}

TEST(CachingAllocator, PeakIsKeptUntilReset) {
  memory().reset_peak();
  const int64_t start = memory().stats().peak;
  void* block = memory().allocate(10000000);
  memory().free(block, 10000000);
  EXPECT_EQ(memory().stats().peak - start, 10000000);
  memory().reset_peak();
  EXPECT_EQ(memory().stats().peak, memory().stats().in_use);
}

// Many small blocks must not hide from the peak, beyond the documented 64 KiB a thread.
TEST(CachingAllocator, PeakSeesSmallBlocks) {
  memory().reset_peak();
  const int64_t start = memory().stats().in_use;
  std::vector<void*> blocks;
  for (int i = 0; i < 10000; ++i) blocks.push_back(memory().allocate(64));
  for (void* block : blocks) memory().free(block, 64);
  EXPECT_NEAR(static_cast<double>(memory().stats().peak - start), 640000, 65536 * 2);
  EXPECT_EQ(memory().stats().in_use, start);
}

TEST(CachingAllocator, FreedBlocksServeAgain) {
  if (!kPoolMemory) GTEST_SKIP() << "nothing is cached under the address sanitizer";
  for (const size_t bytes : {200UL, 70000UL, 9000000UL}) {
    void* first = memory().allocate(bytes);
    memory().free(first, bytes);
    const MemoryStats before = memory().stats();
    void* second = memory().allocate(bytes);
    EXPECT_EQ(second, first);
    EXPECT_EQ(memory().stats().cache_hits - before.cache_hits, 1);
    EXPECT_EQ(memory().stats().reserved, before.reserved);
    memory().free(second, bytes);
  }
}

TEST(CachingAllocator, TrimReturnsCachedMemory) {
  if (!kPoolMemory) GTEST_SKIP() << "nothing is cached under the address sanitizer";
  memory().trim();
  const int64_t before = memory().stats().reserved;
  std::vector<void*> small;
  for (int i = 0; i < 5000; ++i) small.push_back(memory().allocate(700));
  void* large = memory().allocate(20000000);
  EXPECT_GE(memory().stats().reserved - before, 5000 * 700 + 20000000);
  for (void* block : small) memory().free(block, 700);
  memory().free(large, 20000000);
  memory().trim();
  EXPECT_LE(memory().stats().reserved, before);
  // And the lists still work.
  void* block = memory().allocate(700);
  memory().free(block, 700);
  memory().trim();
}

TEST(CachingAllocator, TrimKeepsSlabsInUse) {
  std::vector<void*> blocks;
  for (int i = 0; i < 3000; ++i) blocks.push_back(memory().allocate(256));
  for (size_t i = 0; i < blocks.size(); ++i) std::memset(blocks[i], static_cast<int>(i), 256);
  for (size_t i = 0; i < blocks.size(); i += 2) memory().free(blocks[i], 256);
  memory().trim();
  for (size_t i = 0; i < blocks.size(); i += 2) blocks[i] = memory().allocate(256);
  for (size_t i = 1; i < blocks.size(); i += 2)
    EXPECT_EQ(static_cast<unsigned char*>(blocks[i])[255], static_cast<unsigned char>(i));
  for (void* block : blocks) memory().free(block, 256);
}

TEST(CachingAllocator, FailureNamesTheSize) {
  for (const size_t bytes : {size_t{1} << 46, size_t{1} << 60, SIZE_MAX}) {
    const int64_t before = memory().stats().in_use;
    try {
      memory().allocate(bytes);
      FAIL() << bytes;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::resource);
      EXPECT_NE(error.message().find(std::to_string(bytes) + " bytes"), std::string::npos)
          << error.message();
    }
    EXPECT_EQ(memory().stats().in_use, before);
  }
  EXPECT_THROW(Tensor::empty({int64_t{1} << 61}), Error);
  EXPECT_THROW(Tensor::empty({int64_t{1} << 62, 4}), Error);
}

TEST(CachingAllocator, BlocksMoveBetweenThreads) {
  const int64_t before = memory().stats().in_use;
  std::vector<std::pair<unsigned char*, size_t>> blocks(2000);
  std::thread([&] {
    for (size_t i = 0; i < blocks.size(); ++i) {
      const size_t bytes = i * 37 % 40000 + 1;
      blocks[i] = {static_cast<unsigned char*>(memory().allocate(bytes)), bytes};
      std::memset(blocks[i].first, static_cast<int>(i), bytes);
    }
  }).join();
  std::thread([&] {
    for (size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_EQ(blocks[i].first[blocks[i].second - 1], static_cast<unsigned char>(i));
      memory().free(blocks[i].first, blocks[i].second);
    }
  }).join();
  EXPECT_EQ(memory().stats().in_use, before);
}

// Threads allocate, fill, check and free in random order, handing half of the blocks to a
// neighbour.
TEST(CachingAllocator, ManyThreads) {
  const int64_t before = memory().stats().in_use;
  constexpr int kThreads = 4;
  std::mutex mutex;
  std::vector<std::pair<unsigned char*, size_t>> shared;
  std::atomic<int> damaged{0};
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    std::vector<std::pair<unsigned char*, size_t>> own;
    const auto release = [&](std::pair<unsigned char*, size_t> block) {
      const auto mark = static_cast<unsigned char>(block.second);
      if (block.first[0] != mark || block.first[block.second - 1] != mark) ++damaged;
      memory().free(block.first, block.second);
    };
    for (int step = 0; step < 20000; ++step) {
      if (random() % 2) {
        const size_t bytes = random() % 50 ? random() % 2000 + 1 : random() % 300000 + 1;
        auto* block = static_cast<unsigned char*>(memory().allocate(bytes));
        block[0] = block[bytes - 1] = static_cast<unsigned char>(bytes);
        own.emplace_back(block, bytes);
      } else if (!own.empty()) {
        std::swap(own[random() % own.size()], own.back());
        if (random() % 2) {
          release(own.back());
        } else {
          std::lock_guard lock(mutex);
          shared.push_back(own.back());
          if (shared.size() > 100) {
            release(shared.front());
            shared.erase(shared.begin());
          }
        }
        own.pop_back();
      }
      if (step % 5000 == 0) memory().trim();
    }
    for (const auto& block : own) release(block);
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, static_cast<unsigned>(i));
  for (std::thread& thread : threads) thread.join();
  for (const auto& [block, bytes] : shared) memory().free(block, bytes);
  EXPECT_EQ(damaged, 0);
  EXPECT_EQ(memory().stats().in_use, before);
}

// A tensor in a thread_local variable made before the allocator's own is freed after it.
TEST(CachingAllocator, TensorsOutliveTheThreadsLists) {
  const int64_t before = memory().stats().in_use;
  std::thread([] {
    static thread_local Tensor last;
    last = Tensor();  // its destructor is registered first, so it runs last
    last = Tensor::ones({10});
    EXPECT_EQ(last.numel(), 10);
  }).join();
  EXPECT_EQ(memory().stats().in_use, before);
}

class CountingSource final : public MemorySource {
 public:
  void* take(size_t bytes) noexcept override {
    if (live + bytes > limit) return nullptr;
    live += bytes;
    return ::operator new (bytes, std::align_val_t{64});
  }
  void give(void* block, size_t bytes) noexcept override {
    live -= bytes;
    ::operator delete (block, std::align_val_t{64});
  }
  size_t live = 0;
  size_t limit = SIZE_MAX;
};

TEST(BlockCache, RoundsByAnEighthAtMost) {
  for (size_t bytes = 1; bytes < 10000000; bytes += bytes / 50 + 1) {
    const size_t rounded = BlockCache::rounded(bytes);
    EXPECT_GE(rounded, bytes);
    EXPECT_EQ(rounded % 64, 0U);
    EXPECT_EQ(BlockCache::rounded(rounded), rounded);
    EXPECT_LE(rounded, std::max<size_t>(bytes + bytes / 8, 512));
  }
  EXPECT_EQ(BlockCache::rounded(SIZE_MAX), 0U);
}

TEST(BlockCache, EmptiesItselfBeforeGivingUp) {
  CountingSource source;
  source.limit = 10000;
  BlockCache cache(source);
  void* first = cache.allocate(6000).memory;
  cache.free(first, 6000);
  const BlockCache::Block second = cache.allocate(9000);
  ASSERT_NE(second.memory, nullptr);
  EXPECT_FALSE(second.hit);
  EXPECT_EQ(cache.allocate(9000).memory, nullptr);
  EXPECT_EQ(cache.stats().reserved, static_cast<int64_t>(source.live));
  cache.free(second.memory, 9000);
  EXPECT_TRUE(cache.allocate(9000).hit);
  cache.free(second.memory, 9000);
  cache.trim();
  EXPECT_EQ(source.live, 0U);
}

}  // namespace
}  // namespace tenon
