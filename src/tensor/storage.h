// The bytes behind tensors: shared by views, counted, with a version for in-place changes.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

#include "tensor/device.h"
#include "tensor/dtype.h"
#include "tensor/ref.h"

namespace tenon {

class Storage final : public RefCounted {
 public:
  // Owns `count` elements of uninitialised memory (strings are constructed empty,
  // elements of containers undefined).
  Storage(Device& device, DType type, size_t count);
  // Borrows memory of somebody else; `on_release` runs when the last view is gone.
  Storage(Device& device, void* data, size_t bytes, std::function<void()> on_release);
  ~Storage() override;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device& device() const { return *device_; }

  // Counts in-place changes; autograd compares it with what it saved.
  uint32_t version() const { return version_.load(std::memory_order_relaxed); }
  void bump_version() { version_.fetch_add(1, std::memory_order_relaxed); }

  static void* operator new(size_t bytes);
  static void operator delete(void* memory, size_t bytes) noexcept;

 private:
  Device* device_;
  void* data_;
  size_t bytes_;
  std::atomic<uint32_t> version_{0};
  bool owned_;
  DType type_ = DType::undefined;  // of owned elements that need a destructor
  std::function<void()> on_release_;
};

}  // namespace tenon
