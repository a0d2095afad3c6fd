#include "tensor/block_cache.h"

#include <algorithm>
#include <bit>
#include <new>

namespace tenon {
namespace {

constexpr size_t kSmallest = 512;             // keeps the step between classes a multiple of 64
constexpr size_t kLargest = size_t{1} << 47;  // user address space of today's CPUs
constexpr int64_t kIdleFloor = int64_t{256} << 20;

}  // namespace

size_t BlockCache::rounded(size_t bytes) {
  if (bytes <= kSmallest) return kSmallest;
  if (bytes > kLargest) return 0;
  const size_t step = std::bit_floor(bytes - 1) / 8;
  return (bytes + step - 1) / step * step;
}

// A rounded size is (8 + k) << s with k in 0..7; s >= 6.
size_t BlockCache::class_of(size_t rounded_bytes) {
  const auto shift = static_cast<size_t>(std::bit_width(rounded_bytes)) - 4;
  return (shift - 6) * 8 + ((rounded_bytes >> shift) & 7U);
}

size_t BlockCache::bytes_of(size_t size_class) {
  return (8 + size_class % 8) << (size_class / 8 + 6);
}

BlockCache::Block BlockCache::allocate(size_t bytes) {
  const size_t size = rounded(bytes);
  if (size == 0) return {nullptr, false};
  const auto size_signed = static_cast<int64_t>(size);
  {
    std::lock_guard lock(mutex_);
    peak_live_ = std::max(peak_live_, reserved_ - cached_ + size_signed);
    std::vector<void*>& list = free_[class_of(size)];
    if (!list.empty()) {
      void* memory = list.back();
      list.pop_back();
      cached_ -= size_signed;
      return {memory, true};
    }
    const int64_t idle_limit = peak_live_ / 4 + kIdleFloor;
    const int64_t limit = peak_live_ + idle_limit;
    if (reserved_ + size_signed > limit)
      release_down_to(std::max<int64_t>(cached_ - (reserved_ + size_signed - limit), 0));
    reserved_ += size_signed;
  }
  void* memory = source_.take(size);  // outside the lock: it may be slow
  if (!memory) {
    trim();
    memory = source_.take(size);
  }
  if (!memory) {
    std::lock_guard lock(mutex_);
    reserved_ -= size_signed;
  }
  return {memory, false};
}

void BlockCache::free(void* block, size_t bytes) noexcept {
  const size_t size = rounded(bytes);
  {
    std::lock_guard lock(mutex_);
    try {
      free_[class_of(size)].push_back(block);
      cached_ += static_cast<int64_t>(size);
      return;
    } catch (const std::bad_alloc&) {
      reserved_ -= static_cast<int64_t>(size);
    }
  }
  source_.give(block, size);
}

void BlockCache::release_down_to(int64_t cached_bytes) noexcept {
  for (size_t c = kClasses; c-- > 0 && cached_ > cached_bytes;) {
    while (!free_[c].empty() && cached_ > cached_bytes) {
      const size_t size = bytes_of(c);
      source_.give(free_[c].back(), size);
      free_[c].pop_back();
      cached_ -= static_cast<int64_t>(size);
      reserved_ -= static_cast<int64_t>(size);
    }
  }
}

void BlockCache::trim() noexcept {
  std::lock_guard lock(mutex_);
  release_down_to(0);
}

BlockCache::Stats BlockCache::stats() const {
  std::lock_guard lock(mutex_);
  return {reserved_, cached_};
}

}  // namespace tenon
