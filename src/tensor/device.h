// What owns memory: a device and its caching allocator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tenon {

struct MemoryStats {
  int64_t in_use = 0;       // bytes handed out now
  int64_t reserved = 0;     // bytes taken from the system, cached blocks included
  int64_t peak = 0;         // highest in_use since reset_peak()
  int64_t allocations = 0;  // calls of allocate()
  int64_t cache_hits = 0;   // of these, served without asking the system
  // Share of reserved memory that is neither in use nor returnable as one block, 0 to 1.
  double fragmentation = 0;
};

// Thread-safe. Blocks are aligned to 64 bytes (a cache line, an AVX-512 vector).
class Allocator {
 public:
  virtual ~Allocator() = default;
  // Never null; fails with kind resource naming the size asked for. 0 bytes give a valid pointer.
  virtual void* allocate(size_t bytes) = 0;
  // `bytes` as given to allocate().
  virtual void free(void* block, size_t bytes) noexcept = 0;
  virtual MemoryStats stats() const = 0;
  virtual void reset_peak() = 0;
  // Gives cached blocks back to the system.
  virtual void trim() = 0;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual std::string_view name() const = 0;  // "cpu", "cuda:0"
  virtual Allocator& allocator() = 0;
};

Device& cpu_device();

}  // namespace tenon
