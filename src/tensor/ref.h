// An intrusive reference: one word, one atomic count inside the object.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace tenon {

class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;
  virtual ~RefCounted() = default;

  uint32_t use_count() const { return count_.load(std::memory_order_relaxed); }

 private:
  template <class T>
  friend class Ref;
  // Called when the last reference goes; the default deletes.
  virtual void release() { delete this; }

  mutable std::atomic<uint32_t> count_{0};
};

template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  explicit Ref(T* object) : object_(object) { retain(); }
  Ref(const Ref& other) : object_(other.object_) { retain(); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <class U>
  Ref(const Ref<U>& other) : object_(other.get()) {
    retain();
  }
  ~Ref() { drop(); }
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }

  T* get() const { return object_; }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  bool operator==(const Ref& other) const { return object_ == other.object_; }

 private:
  void retain() {
    if (object_) object_->count_.fetch_add(1, std::memory_order_relaxed);
  }
  // Adopts an object that nobody else knows yet: the count needs no atomic increment.
  static Ref fresh(T* object) {
    object->count_.store(1, std::memory_order_relaxed);
    Ref ref;
    ref.object_ = object;
    return ref;
  }
  // The holder of the only reference needs no atomic decrement: no other thread can copy it.
  void drop() {
    if (object_ && (object_->count_.load(std::memory_order_acquire) == 1 ||
                    object_->count_.fetch_sub(1, std::memory_order_acq_rel) == 1))
      static_cast<RefCounted*>(object_)->release();
  }
  template <class U, class... Args>
  friend Ref<U> make_ref(Args&&... args);

  T* object_ = nullptr;
};

template <class T, class... Args>
Ref<T> make_ref(Args&&... args) {
  return Ref<T>::fresh(new T(std::forward<Args>(args)...));
}

}  // namespace tenon
