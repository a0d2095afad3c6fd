// Whole blocks taken from a system allocator and kept for reuse in one list a size class. Serves
// any device: it never touches the blocks, so the memory need not be addressable by the CPU.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace tenon {

// Where blocks come from: the operating system, a driver. Thread-safe.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  virtual void* take(size_t bytes) noexcept = 0;  // null when there is none; aligned to 64 bytes
  virtual void give(void* block, size_t bytes) noexcept = 0;
};

// Thread-safe. Sizes round up to one of 8 steps a power of two (at most 12.5 % more than asked).
// On a miss, cached blocks are returned first when more than a quarter of the highest live size
// plus 256 MiB would lie idle; when the source is empty, all of them are, before giving up.
class BlockCache {
 public:
  explicit BlockCache(MemorySource& source) : source_(source) {}
  ~BlockCache() { trim(); }
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  struct Block {
    void* memory;  // null: the source has no more
    bool hit;      // served from the cache
  };
  Block allocate(size_t bytes);
  void free(void* block, size_t bytes) noexcept;  // `bytes` as given to allocate()
  void trim() noexcept;

  // Bytes really taken for a request; 0 when the request exceeds the address space.
  static size_t rounded(size_t bytes);

  struct Stats {
    int64_t reserved = 0;  // taken from the source: live and cached
    int64_t cached = 0;
  };
  Stats stats() const;

 private:
  static constexpr size_t kClasses = 512;
  static size_t class_of(size_t rounded_bytes);
  static size_t bytes_of(size_t size_class);
  void release_down_to(int64_t cached_bytes) noexcept;  // mutex_ held

  MemorySource& source_;
  mutable std::mutex mutex_;
  std::array<std::vector<void*>, kClasses> free_;
  int64_t reserved_ = 0;
  int64_t cached_ = 0;
  int64_t peak_live_ = 0;
};

}  // namespace tenon
