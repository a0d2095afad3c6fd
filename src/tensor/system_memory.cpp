#include "tensor/system_memory.h"

#include <cstdint>
#include <new>

#include "tensor/object_pool.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace tenon {
namespace {

constexpr std::align_val_t kAlignment{64};

#if defined(__linux__)
constexpr size_t kMapFrom = size_t{4} << 20;
constexpr size_t kHugePage = size_t{2} << 20;

// Maps a page-aligned size with room to spare and unmaps what lies outside the aligned block.
void* map_aligned(size_t bytes) {
  const size_t room = bytes + kHugePage;
  void* start = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return nullptr;
  auto* first = static_cast<std::byte*>(start);
  const size_t head = -reinterpret_cast<uintptr_t>(first) % kHugePage;
  if (head) munmap(first, head);
  if (const size_t tail = room - head - bytes) munmap(first + head + bytes, tail);
  madvise(first + head, bytes, MADV_HUGEPAGE);  // advice: works without, only slower
  return first + head;
}
#endif

class SystemMemory final : public MemorySource {
 public:
  void* take(size_t bytes) noexcept override {
#if defined(__linux__)
    if (kPoolMemory && bytes >= kMapFrom) return map_aligned((bytes + 4095) / 4096 * 4096);
#endif
    // The address sanitizer would end the program instead of returning null.
    if (!kPoolMemory && bytes >= size_t{1} << 39) return nullptr;
    return ::operator new(bytes, kAlignment, std::nothrow);
  }

  void give(void* block, size_t bytes) noexcept override {
#if defined(__linux__)
    if (kPoolMemory && bytes >= kMapFrom) {
      munmap(block, (bytes + 4095) / 4096 * 4096);
      return;
    }
#endif
    (void)bytes;
    ::operator delete(block, kAlignment);
  }
};

}  // namespace

void drop_pages(const void* begin, size_t bytes) noexcept {
#if defined(__linux__)
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto at = reinterpret_cast<uintptr_t>(begin);
  const uintptr_t first = (at + page - 1) / page * page, end = (at + bytes) / page * page;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
#else
  (void)begin;
  (void)bytes;
#endif
}

MemorySource& system_memory() {
  static SystemMemory& source = *new SystemMemory;  // never destroyed, as the devices that use it
  return source;
}

}  // namespace tenon
