// Threads inside an operator: one pool (OpenMP's, the one oneDNN uses too), one way to use it.
//
//   parallel_for(0, rows, 64, [&](int64_t begin, int64_t end) {
//     for (int64_t row = begin; row < end; ++row) ...
//   });
#pragma once

#include <cstdint>
#include <utility>

#include "base/function_ref.h"

namespace tenon {

// Threads that parallel_for uses when called from this thread: the process-wide count, or less
// where a ThreadLimit is in force. At first what OMP_NUM_THREADS says, else the CPUs this process
// may use (affinity and container quota).
int thread_count();
// Process-wide; at least 1. Libraries with loops of their own (oneDNN) see it on the calling
// thread only: set it before starting other threads, or give those a ThreadLimit.
void set_thread_count(int count);
// True inside the body of a parallel_for that runs on several threads.
bool in_parallel();

// Lowers the count for the calling thread until the end of the scope, for oneDNN too: a loader's
// worker or a server's session takes its share of the machine. Never raises it above an outer
// limit. Must be destroyed on the thread that made it.
class ThreadLimit {
 public:
  explicit ThreadLimit(int count);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int outer_;
  int outer_openmp_;
};

namespace detail {
void run_parallel(int64_t begin, int64_t end, int64_t grain,
                  FunctionRef<void(int64_t, int64_t)> body);
}

// Calls body(from, to) for ranges that cover [begin, end) once, on several threads: at most
// thread_count() ranges, of nearly equal size, each at least `grain` long. One call, on this
// thread, when the range is at most `grain`, when there is one thread, and inside another
// parallel_for. Returns when all are done; the first exception of a body is thrown here.
template <class Body>
void parallel_for(int64_t begin, int64_t end, int64_t grain, Body&& body) {
  if (begin >= end) return;
  if (end - begin <= grain)
    body(begin, end);
  else
    detail::run_parallel(begin, end, grain, body);
}

}  // namespace tenon
