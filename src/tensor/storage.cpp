#include "tensor/storage.h"

#include <memory>
#include <string>
#include <utility>

#include "base/error.h"
#include "tensor/object_pool.h"
#include "tensor/tensor.h"

namespace tenon {
namespace {

size_t checked_bytes(DType type, size_t count) {
  size_t bytes = 0;
  TENON_CHECK(!__builtin_mul_overflow(count, size_of(type), &bytes), resource,
              "storage: {} elements of {} exceed the address space; use a smaller shape", count,
              name(type));
  return bytes;
}

}  // namespace

Storage::Storage(Device& device, DType type, size_t count)
    : device_(&device), bytes_(checked_bytes(type, count)), owned_(true) {
  data_ = device.allocator().allocate(bytes_);
  if (type == DType::string) [[unlikely]] {
    std::uninitialized_default_construct_n(static_cast<std::string*>(data_), count);
    type_ = type;
  } else if (is_container(type)) [[unlikely]] {
    std::uninitialized_default_construct_n(static_cast<Tensor*>(data_), count);
    type_ = type;
  }
}

Storage::Storage(Device& device, void* data, size_t bytes, std::function<void()> on_release)
    : device_(&device),
      data_(data),
      bytes_(bytes),
      owned_(false),
      on_release_(std::move(on_release)) {}

Storage::~Storage() {
  if (owned_) {
    if (type_ == DType::string) [[unlikely]]
      std::destroy_n(static_cast<std::string*>(data_), bytes_ / sizeof(std::string));
    else if (type_ != DType::undefined) [[unlikely]]
      std::destroy_n(static_cast<Tensor*>(data_), bytes_ / sizeof(Tensor));
    device_->allocator().free(data_, bytes_);
  } else if (on_release_) {
    on_release_();
  }
}

void* Storage::operator new(size_t bytes) { return ObjectPool<Storage>::take(bytes); }

void Storage::operator delete(void* memory, size_t) noexcept { ObjectPool<Storage>::give(memory); }

}  // namespace tenon
