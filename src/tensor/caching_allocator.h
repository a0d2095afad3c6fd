// The CPU's allocator. Up to 16 KiB: cells of 32 size classes, cut from slabs, on free lists of the
// thread (no lock, no atomic read-modify-write) that trade batches with a shared list. Above: whole
// blocks from a BlockCache.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "tensor/block_cache.h"
#include "tensor/device.h"

namespace tenon {

// One a process: the free lists of a thread belong to it. Never destroyed, so that tensors in
// static variables and in ending threads can always be freed. The peak may lag behind by 64 KiB a
// thread; every other number of stats() is exact once the threads are at rest. fragmentation counts
// free cells and rounding, not cached whole blocks. Under the address sanitizer nothing is cached,
// so that it sees every block's bounds and lifetime.
class CachingAllocator final : public Allocator {
 public:
  static CachingAllocator& instance();

  void* allocate(size_t bytes) override;
  void free(void* block, size_t bytes) noexcept override;
  MemoryStats stats() const override;
  void reset_peak() override;
  // Keeps what other threads have on their lists.
  void trim() override;

  static constexpr size_t kLargestCell = size_t{16} << 10;

 private:
  static constexpr size_t kCellClasses = 32;
  static constexpr size_t kSlabBytes = size_t{256} << 10;

  struct Cell {
    Cell* next;
  };
  struct CellList {
    Cell* head = nullptr;
    uint32_t count = 0;

    void push(void* memory);
    Cell* pop();
  };
  struct alignas(64) SharedCells {
    std::mutex mutex;
    CellList free;
    std::vector<std::byte*> slabs;
    std::byte* next = nullptr;  // where the slab that ends at `end` is being cut
    std::byte* end = nullptr;
  };
  // Written by its thread alone; stats() reads the counters from elsewhere.
  struct ThreadCells {
    std::array<CellList, kCellClasses> lists;
    std::atomic<int64_t> in_use{0};
    std::atomic<int64_t> published{0};  // the part of in_use that in_use_ holds
    std::atomic<int64_t> allocations{0};
  };
  struct ThreadEnd {
    ~ThreadEnd();
  };

  CachingAllocator();
  static size_t cell_class(size_t bytes);
  static size_t cell_bytes(size_t size_class);
  static uint32_t list_limit(size_t size_class);

  ThreadCells* thread_cells();  // null when the thread is ending
  void close_thread(ThreadCells* cells);
  void* allocate_slowly(size_t bytes);
  void free_slowly(void* block, size_t bytes) noexcept;
  void* allocate_block(size_t bytes);
  void refill(size_t size_class, CellList& list, uint32_t wanted);
  bool cut_cell(size_t size_class, SharedCells& shared, CellList& list);  // false: out of memory
  void give_back(size_t size_class, CellList& list, uint32_t keep) noexcept;
  void count(ThreadCells& cells, int64_t bytes);
  void publish(ThreadCells& cells);
  void add_in_use(int64_t bytes);
  void release_free_slabs(size_t size_class);
  [[noreturn]] void fail_to_allocate(size_t bytes) const;

  // Initial-exec: a shared library then reaches them without a call.
  [[gnu::tls_model("initial-exec")]] static constinit thread_local ThreadCells* cells_;
  [[gnu::tls_model("initial-exec")]] static constinit thread_local bool ended_;

  BlockCache blocks_;
  std::array<SharedCells, kCellClasses> shared_;
  std::atomic<int64_t> in_use_{0};
  std::atomic<int64_t> peak_{0};
  std::atomic<int64_t> allocations_{0};  // of ended threads
  std::atomic<int64_t> misses_{0};
  mutable std::mutex threads_mutex_;
  std::vector<ThreadCells*> threads_;
};

}  // namespace tenon
