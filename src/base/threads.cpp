// parallel_for over OpenMP, and how many threads it may use.
#include "base/threads.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>

#include "base/environment.h"

namespace tenon {

namespace {

std::atomic<int> process_count{0};  // 0: not decided yet
thread_local int thread_limit = 0;  // 0: none
thread_local bool inside = false;

int first_count() {
  const int openmp = omp_get_max_threads();
  // Without a word from the user, OpenMP knows the affinity mask but not the container's quota.
  return std::getenv("OMP_NUM_THREADS") != nullptr ? openmp : std::min(openmp, available_cpus());
}

int count_for_process() {
  int count = process_count.load(std::memory_order_relaxed);
  if (count == 0) {
    const int first = std::max(1, first_count());
    if (process_count.compare_exchange_strong(count, first, std::memory_order_relaxed))
      count = first;
  }
  return count;
}

}  // namespace

int thread_count() {
  const int count = count_for_process();
  return thread_limit == 0 ? count : std::min(count, thread_limit);
}

void set_thread_count(int count) {
  process_count.store(std::max(1, count), std::memory_order_relaxed);
  omp_set_num_threads(thread_count());
}

bool in_parallel() { return inside; }

ThreadLimit::ThreadLimit(int count) : outer_(thread_limit), outer_openmp_(omp_get_max_threads()) {
  count = std::max(1, count);
  thread_limit = outer_ == 0 ? count : std::min(outer_, count);
  omp_set_num_threads(thread_count());
}

ThreadLimit::~ThreadLimit() {
  thread_limit = outer_;
  omp_set_num_threads(outer_openmp_);
}

namespace detail {

void run_parallel(int64_t begin, int64_t end, int64_t grain,
                  FunctionRef<void(int64_t, int64_t)> body) {
  const int64_t length = end - begin;
  const int64_t most = length / std::max<int64_t>(1, grain);  // ranges that reach the grain
  const int64_t ranges =
      inside || omp_in_parallel() != 0 ? 1 : std::min<int64_t>(most, thread_count());
  if (ranges <= 1) {
    body(begin, end);
    return;
  }
  std::exception_ptr error;
  std::atomic<bool> failed{false};
  const int64_t base = length / ranges;
  const int64_t longer = length % ranges;  // the first ones take one more
#pragma omp parallel num_threads(static_cast <int>(ranges))
  {
    // OpenMP may give fewer threads than asked for, so each takes every n-th range.
    const bool outer = inside;
    inside = true;
    for (int64_t i = omp_get_thread_num(); i < ranges; i += omp_get_num_threads()) {
      const int64_t from = begin + i * base + std::min(i, longer);
      try {
        body(from, from + base + (i < longer ? 1 : 0));
      } catch (...) {
        if (!failed.exchange(true)) error = std::current_exception();
      }
    }
    inside = outer;
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace detail
}  // namespace tenon
