// Recycles the memory of small objects that come and go all the time, one free list a thread and
// type. A take or give is a few instructions; memory may be given back by another thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

namespace tenon {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kPoolMemory = false;  // let the sanitizer see every object
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool kPoolMemory = false;
#else
inline constexpr bool kPoolMemory = true;
#endif
#else
inline constexpr bool kPoolMemory = true;
#endif

// `Tag` keeps the lists of different types apart; every call for one Tag passes the same size.
template <class Tag>
class ObjectPool {
 public:
  static void* take(size_t bytes) {
    List& list = list_;
    if (Node* node = list.head) [[likely]] {
      list.head = node->next;
      --list.count;
      return node;
    }
    return ::operator new(bytes);
  }

  static void give(void* memory) noexcept {
    List& list = list_;
    if (list.count >= list.limit) [[unlikely]]
      if (!open(list)) return ::operator delete(memory);
    list.head = ::new (memory) Node{list.head};
    ++list.count;
  }

 private:
  static constexpr uint32_t kLimit = kPoolMemory ? 4096 : 0;

  struct Node {
    Node* next;
  };
  // Trivially destructible, so that it outlives every thread_local object: a tensor freed after the
  // Closer has run finds limit 0 and goes to the system.
  struct List {
    Node* head = nullptr;
    uint32_t count = 0;
    uint32_t limit = 0;
    bool opened = false;
  };
  struct Closer {
    ~Closer() {
      list_.limit = 0;
      while (Node* node = list_.head) {
        list_.head = node->next;
        ::operator delete(node);
      }
      list_.count = 0;
    }
  };

  static bool open(List& list) noexcept {
    if (list.opened) return false;  // full, or the thread is ending
    list.opened = true;
    static thread_local Closer closer;
    (void)&closer;
    list.limit = kLimit;
    return list.limit != 0;
  }

  // Initial-exec: a shared library then reaches it without a call.
  [[gnu::tls_model("initial-exec")]] static inline constinit thread_local List list_;
};

}  // namespace tenon
