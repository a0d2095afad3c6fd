// A queue between threads that holds a limited number of values: producers wait while it is full,
// consumers while it is empty.
//
//   Channel<Batch> batches(4);
//   std::thread producer([&] { while (...) if (!batches.push(load())) return;  batches.close(); });
//   while (std::optional<Batch> batch = batches.pop()) ...
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>

namespace tenon {

// Any number of producers and consumers. First in, first out.
template <class T>
class Channel {
 public:
  explicit Channel(size_t capacity) : capacity_(capacity == 0 ? 1 : capacity) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Waits for room. False, and the value is dropped, once the channel is closed or cancelled.
  bool push(T value) {
    {
      std::unique_lock lock(mutex_);
      not_full_.wait(lock, [&] { return closed_ || queue_.size() < capacity_; });
      if (closed_) return false;
      queue_.push_back(std::move(value));
    }
    not_empty_.notify_one();
    return true;
  }

  // Never waits. False, and `value` is untouched, where there is no room or the channel is closed.
  bool try_push(T&& value) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || queue_.size() >= capacity_) return false;
      queue_.push_back(std::move(value));
    }
    not_empty_.notify_one();
    return true;
  }

  // Waits for a value. Nothing once the channel is closed and empty, or cancelled; throws the error
  // it was cancelled with.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    not_empty_.wait(lock, [&] { return closed_ || !queue_.empty(); });
    return take(lock);
  }
  // As pop(), and nothing after `timeout` too; closed() tells which.
  template <class Rep, class Period>
  std::optional<T> pop_for(std::chrono::duration<Rep, Period> timeout) {
    std::unique_lock lock(mutex_);
    not_empty_.wait_for(lock, timeout, [&] { return closed_ || !queue_.empty(); });
    return take(lock);
  }
  std::optional<T> try_pop() {
    std::unique_lock lock(mutex_);
    return take(lock);
  }

  // No more values will come; those inside can still be popped.
  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    wake_all();
  }
  // Stops everybody at once: values inside are dropped. With an error, every pop() throws it. The
  // first error is kept.
  void cancel(std::exception_ptr error = nullptr) {
    std::deque<T> dropped;  // destroyed outside the lock
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
      dropped.swap(queue_);
      if (!error_) error_ = std::move(error);
    }
    wake_all();
  }

  bool closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  size_t size() const {
    std::lock_guard lock(mutex_);
    return queue_.size();
  }
  size_t capacity() const { return capacity_; }

 private:
  std::optional<T> take(std::unique_lock<std::mutex>& lock) {
    if (queue_.empty()) {
      if (error_) std::rethrow_exception(error_);
      return std::nullopt;
    }
    std::optional<T> value(std::move(queue_.front()));
    queue_.pop_front();
    lock.unlock();
    not_full_.notify_one();
    return value;
  }
  void wake_all() {
    not_full_.notify_all();
    not_empty_.notify_all();
  }

  const size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable not_full_;
  std::condition_variable not_empty_;
  std::deque<T> queue_;
  bool closed_ = false;
  std::exception_ptr error_;
};

}  // namespace tenon
