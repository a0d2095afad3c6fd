#include "tensor/caching_allocator.h"

#include <algorithm>
#include <functional>
#include <new>
#include <utility>

#include "base/error.h"
#include "tensor/object_pool.h"
#include "tensor/system_memory.h"

namespace tenon {
namespace {

constexpr int64_t kPublishStep = int64_t{64} << 10;
constexpr size_t kListBytes = size_t{64} << 10;  // what a thread keeps of one class, at most
constexpr auto kRelaxed = std::memory_order_relaxed;

// 64 to 1024 by 64, then four classes a power of two up to 16 KiB.
constexpr std::array<uint16_t, 32> kCellBytes = [] {
  std::array<uint16_t, 32> bytes{};
  for (size_t i = 0; i < 16; ++i) bytes[i] = static_cast<uint16_t>(64 * (i + 1));
  for (size_t i = 16; i < 32; ++i)
    bytes[i] = static_cast<uint16_t>((4 + i % 4 + 1) << (8 + (i - 16) / 4));
  return bytes;
}();
static_assert(kCellBytes.back() == CachingAllocator::kLargestCell);

// The class of a request, by its number of cache lines.
constexpr std::array<uint8_t, CachingAllocator::kLargestCell / 64 + 1> kClassOfLines = [] {
  std::array<uint8_t, CachingAllocator::kLargestCell / 64 + 1> classes{};
  size_t c = 0;
  for (size_t lines = 0; lines < classes.size(); ++lines) {
    if (lines * 64 > kCellBytes[c]) ++c;
    classes[lines] = static_cast<uint8_t>(c);
  }
  return classes;
}();

// Only the owning thread writes, so no atomic read-modify-write is needed.
void bump(std::atomic<int64_t>& counter, int64_t by) {
  counter.store(counter.load(kRelaxed) + by, kRelaxed);
}

}  // namespace

constinit thread_local CachingAllocator::ThreadCells* CachingAllocator::cells_ = nullptr;
constinit thread_local bool CachingAllocator::ended_ = false;

inline void CachingAllocator::CellList::push(void* memory) {
  head = ::new (memory) Cell{head};
  ++count;
}

inline CachingAllocator::Cell* CachingAllocator::CellList::pop() {
  Cell* cell = head;
  head = cell->next;
  --count;
  return cell;
}

inline size_t CachingAllocator::cell_class(size_t bytes) {
  return kClassOfLines[(bytes + 63) / 64];
}
inline size_t CachingAllocator::cell_bytes(size_t size_class) { return kCellBytes[size_class]; }
inline uint32_t CachingAllocator::list_limit(size_t size_class) {
  return static_cast<uint32_t>(std::clamp<size_t>(kListBytes / cell_bytes(size_class), 8, 512));
}

CachingAllocator::CachingAllocator() : blocks_(system_memory()) {}

CachingAllocator& CachingAllocator::instance() {
  static CachingAllocator& allocator = *new CachingAllocator;
  return allocator;
}

inline void CachingAllocator::count(ThreadCells& cells, int64_t bytes) {
  bump(cells.in_use, bytes);
  const int64_t hidden = cells.in_use.load(kRelaxed) - cells.published.load(kRelaxed);
  if (hidden > kPublishStep || hidden < -kPublishStep) [[unlikely]]
    publish(cells);
}

void* CachingAllocator::allocate(size_t bytes) {
  if (bytes <= kLargestCell && cells_) [[likely]] {
    CellList& list = cells_->lists[cell_class(bytes)];
    if (list.head) [[likely]] {
      void* memory = list.pop();
      bump(cells_->allocations, 1);
      count(*cells_, static_cast<int64_t>(bytes));
      return memory;
    }
  }
  return allocate_slowly(bytes);
}

void CachingAllocator::free(void* block, size_t bytes) noexcept {
  if (bytes <= kLargestCell && cells_) [[likely]] {
    const size_t size_class = cell_class(bytes);
    CellList& list = cells_->lists[size_class];
    list.push(block);
    count(*cells_, -static_cast<int64_t>(bytes));
    if (list.count > list_limit(size_class)) [[unlikely]]
      give_back(size_class, list, list_limit(size_class) / 2);
    return;
  }
  free_slowly(block, bytes);
}

void* CachingAllocator::allocate_slowly(size_t bytes) {
  ThreadCells* cells = thread_cells();
  void* memory = nullptr;
  if (bytes <= kLargestCell && kPoolMemory) {
    const size_t size_class = cell_class(bytes);
    if (cells) {
      CellList& list = cells->lists[size_class];
      if (!list.head) refill(size_class, list, std::max(list_limit(size_class) / 4, 2U));
      if (list.head) memory = list.pop();
    } else {
      CellList one;
      refill(size_class, one, 1);
      memory = one.head;
    }
  } else {
    memory = allocate_block(bytes);
  }
  if (!memory) fail_to_allocate(bytes);
  if (cells)
    bump(cells->allocations, 1);
  else
    allocations_.fetch_add(1, kRelaxed);
  if (cells && bytes <= kLargestCell)
    count(*cells, static_cast<int64_t>(bytes));
  else
    add_in_use(static_cast<int64_t>(bytes));
  return memory;
}

void CachingAllocator::free_slowly(void* block, size_t bytes) noexcept {
  if (bytes > kLargestCell || !kPoolMemory) {
    if (kPoolMemory)
      blocks_.free(block, bytes);
    else
      system_memory().give(block, std::max<size_t>(bytes, 1));
    add_in_use(-static_cast<int64_t>(bytes));
    return;
  }
  // A thread that only frees, or one that is ending.
  if (!ended_) {
    try {
      if (thread_cells()) return free(block, bytes);
    } catch (const std::bad_alloc&) {  // no room for the lists: the shared one will do
    }
  }
  CellList one;
  one.push(block);
  give_back(cell_class(bytes), one, 0);
  add_in_use(-static_cast<int64_t>(bytes));
}

void* CachingAllocator::allocate_block(size_t bytes) {
  if (!kPoolMemory) {
    misses_.fetch_add(1, kRelaxed);
    return BlockCache::rounded(bytes) ? system_memory().take(std::max<size_t>(bytes, 1)) : nullptr;
  }
  BlockCache::Block block = blocks_.allocate(bytes);
  if (!block.memory) {  // whole slabs of free cells may be what is missing
    trim();
    block = blocks_.allocate(bytes);
  }
  if (!block.hit) misses_.fetch_add(1, kRelaxed);
  return block.memory;
}

void CachingAllocator::refill(size_t size_class, CellList& list, uint32_t wanted) {
  SharedCells& shared = shared_[size_class];
  std::lock_guard lock(shared.mutex);
  while (list.count < wanted && shared.free.head) list.push(shared.free.pop());
  while (list.count < wanted && cut_cell(size_class, shared, list)) {
  }
}

bool CachingAllocator::cut_cell(size_t size_class, SharedCells& shared, CellList& list) {
  const size_t bytes = cell_bytes(size_class);
  if (shared.next == shared.end) {
    if (list.head) return false;  // enough for now: the system is asked for one slab at a time
    shared.slabs.reserve(shared.slabs.size() + 1);
    const BlockCache::Block slab = blocks_.allocate(kSlabBytes);
    if (!slab.memory) return false;
    if (!slab.hit) misses_.fetch_add(1, kRelaxed);
    shared.next = static_cast<std::byte*>(slab.memory);
    shared.end = shared.next + kSlabBytes / bytes * bytes;
    shared.slabs.push_back(shared.next);
  }
  list.push(shared.next);
  shared.next += bytes;
  return true;
}

void CachingAllocator::give_back(size_t size_class, CellList& list, uint32_t keep) noexcept {
  SharedCells& shared = shared_[size_class];
  std::lock_guard lock(shared.mutex);
  while (list.count > keep) shared.free.push(list.pop());
}

CachingAllocator::ThreadCells* CachingAllocator::thread_cells() {
  if (cells_ || ended_ || !kPoolMemory) return cells_;
  static thread_local ThreadEnd end;
  (void)&end;
  std::lock_guard lock(threads_mutex_);
  threads_.reserve(threads_.size() + 1);
  threads_.push_back(new ThreadCells);
  return cells_ = threads_.back();
}

CachingAllocator::ThreadEnd::~ThreadEnd() {
  ThreadCells* cells = cells_;
  cells_ = nullptr;
  ended_ = true;
  if (cells) instance().close_thread(cells);
}

void CachingAllocator::close_thread(ThreadCells* cells) {
  for (size_t c = 0; c < kCellClasses; ++c) give_back(c, cells->lists[c], 0);
  std::lock_guard lock(threads_mutex_);
  publish(*cells);
  allocations_.fetch_add(cells->allocations.load(kRelaxed), kRelaxed);
  std::erase(threads_, cells);
  delete cells;
}

void CachingAllocator::publish(ThreadCells& cells) {
  const int64_t now = cells.in_use.load(kRelaxed);
  const int64_t hidden = now - cells.published.load(kRelaxed);
  cells.published.store(now, kRelaxed);
  add_in_use(hidden);
}

void CachingAllocator::add_in_use(int64_t bytes) {
  const int64_t now = in_use_.fetch_add(bytes, kRelaxed) + bytes;
  int64_t peak = peak_.load(kRelaxed);
  while (now > peak && !peak_.compare_exchange_weak(peak, now, kRelaxed)) {
  }
}

MemoryStats CachingAllocator::stats() const {
  MemoryStats stats;
  {
    std::lock_guard lock(threads_mutex_);
    stats.allocations = allocations_.load(kRelaxed);
    stats.in_use = in_use_.load(kRelaxed);
    for (const ThreadCells* cells : threads_) {
      stats.allocations += cells->allocations.load(kRelaxed);
      stats.in_use += cells->in_use.load(kRelaxed) - cells->published.load(kRelaxed);
    }
  }
  stats.peak = std::max(peak_.load(kRelaxed), stats.in_use);
  stats.cache_hits = std::max<int64_t>(stats.allocations - misses_.load(kRelaxed), 0);
  const BlockCache::Stats blocks = blocks_.stats();
  stats.reserved = kPoolMemory ? blocks.reserved : stats.in_use;
  if (stats.reserved > 0)
    stats.fragmentation =
        static_cast<double>(std::max<int64_t>(stats.reserved - blocks.cached - stats.in_use, 0)) /
        static_cast<double>(stats.reserved);
  return stats;
}

void CachingAllocator::reset_peak() { peak_.store(stats().in_use, kRelaxed); }

void CachingAllocator::trim() {
  for (size_t c = 0; c < kCellClasses; ++c) {
    if (cells_) give_back(c, cells_->lists[c], 0);
    release_free_slabs(c);
  }
  blocks_.trim();
}

void CachingAllocator::release_free_slabs(size_t size_class) {
  SharedCells& shared = shared_[size_class];
  std::lock_guard lock(shared.mutex);
  if (shared.slabs.empty()) return;
  std::ranges::sort(shared.slabs, std::less<>{});
  const auto slab_of = [&](const void* cell) {
    const auto after =
        std::ranges::upper_bound(shared.slabs, static_cast<const std::byte*>(cell), std::less<>{});
    return static_cast<size_t>(after - shared.slabs.begin()) - 1;
  };
  std::vector<size_t> free_cells(shared.slabs.size());
  for (const Cell* cell = shared.free.head; cell; cell = cell->next) ++free_cells[slab_of(cell)];
  const size_t bytes = cell_bytes(size_class);
  const size_t cells = kSlabBytes / bytes;
  const auto being_cut = [&](size_t slab) {
    return shared.slabs[slab] + cells * bytes == shared.end;
  };
  const auto is_free = [&](size_t slab) {
    const size_t cut =
        being_cut(slab) ? static_cast<size_t>(shared.next - shared.slabs[slab]) / bytes : cells;
    return free_cells[slab] == cut;
  };
  CellList kept_cells;
  while (shared.free.head) {
    Cell* cell = shared.free.pop();
    if (!is_free(slab_of(cell))) kept_cells.push(cell);
  }
  shared.free = kept_cells;
  std::vector<std::byte*> kept_slabs;
  bool cut_slab_goes = false;
  for (size_t i = 0; i < shared.slabs.size(); ++i) {
    if (!is_free(i)) {
      kept_slabs.push_back(shared.slabs[i]);
      continue;
    }
    cut_slab_goes |= being_cut(i);
    blocks_.free(shared.slabs[i], kSlabBytes);
  }
  if (cut_slab_goes) shared.next = shared.end = nullptr;
  shared.slabs = std::move(kept_slabs);
}

void CachingAllocator::fail_to_allocate(size_t bytes) const {
  const MemoryStats now = stats();
  fail(ErrorKind::resource,
       "cpu memory: the system has no block of {} bytes ({:.1f} MiB in use, {:.1f} MiB reserved); "
       "use smaller shapes or a smaller batch",
       bytes, static_cast<double>(now.in_use) / 0x1p20, static_cast<double>(now.reserved) / 0x1p20);
}

}  // namespace tenon
