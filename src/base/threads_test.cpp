#include "base/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"

namespace tenon {
namespace {

// Under ThreadSanitizer OpenMP's own synchronisation is invisible and would be reported.
#if defined(__SANITIZE_THREAD__)
constexpr int kThreads = 1;
#else
constexpr int kThreads = 4;
#endif

class Threads : public testing::Test {
 protected:
  void SetUp() override { set_thread_count(kThreads); }
  void TearDown() override { set_thread_count(before_); }
  int before_ = thread_count();
};

struct Ranges {
  std::mutex mutex;
  std::vector<std::pair<int64_t, int64_t>> list;
  void add(int64_t begin, int64_t end) {
    std::lock_guard lock(mutex);
    list.emplace_back(begin, end);
  }
};

TEST_F(Threads, CoverTheRangeOnce) {
  for (int64_t length : {1, 2, 3, 7, 64, 1001}) {
    for (int64_t grain : {1, 3, 64, 5000}) {
      std::vector<std::atomic<int>> hits(static_cast<size_t>(length));
      Ranges ranges;
      parallel_for(-5, length - 5, grain, [&](int64_t begin, int64_t end) {
        ranges.add(begin, end);
        for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i + 5)];
      });
      for (const std::atomic<int>& hit : hits) EXPECT_EQ(hit, 1);
      EXPECT_LE(ranges.list.size(), static_cast<size_t>(kThreads));
      if (ranges.list.size() > 1) {
        for (const auto& [begin, end] : ranges.list) EXPECT_GE(end - begin, grain);
      }
    }
  }
}

TEST_F(Threads, EmptyRangesCallNothing) {
  parallel_for(3, 3, 1, [](int64_t, int64_t) { ADD_FAILURE(); });
  parallel_for(3, 1, 1, [](int64_t, int64_t) { ADD_FAILURE(); });
}

TEST_F(Threads, ShortRangesStayOnTheThread) {
  const auto self = std::this_thread::get_id();
  parallel_for(0, 8, 8, [&](int64_t begin, int64_t end) {
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(end, 8);
    EXPECT_EQ(std::this_thread::get_id(), self);
    EXPECT_FALSE(in_parallel());
  });
}

TEST_F(Threads, NestedLoopsAreSerial) {
  std::atomic<int> inner_calls{0};
  Ranges outer;
  parallel_for(0, 100, 1, [&](int64_t begin, int64_t end) {
    outer.add(begin, end);
    EXPECT_EQ(in_parallel(), kThreads > 1);
    parallel_for(0, 100, 1, [&](int64_t, int64_t) { ++inner_calls; });
  });
  EXPECT_EQ(inner_calls, kThreads > 1 ? static_cast<int>(outer.list.size()) : 1);
  EXPECT_FALSE(in_parallel());
}

TEST_F(Threads, OneExceptionComesOut) {
  EXPECT_THROW(parallel_for(0, 100, 1, [](int64_t, int64_t) { fail(ErrorKind::data, "no"); }),
               Error);
  std::atomic<int> calls{0};
  parallel_for(0, 100, 1, [&](int64_t, int64_t) { ++calls; });
  EXPECT_EQ(calls, kThreads) << "the pool works on";
}

TEST_F(Threads, LimitsNestAndEnd) {
  EXPECT_EQ(thread_count(), kThreads);
  {
    ThreadLimit two(2);
    EXPECT_EQ(thread_count(), std::min(2, kThreads));
    {
      ThreadLimit more(3);
      EXPECT_EQ(thread_count(), std::min(2, kThreads));
      ThreadLimit one(1);
      EXPECT_EQ(thread_count(), 1);
      int calls = 0;
      parallel_for(0, 100, 1, [&](int64_t, int64_t) { ++calls; });
      EXPECT_EQ(calls, 1);
    }
    EXPECT_EQ(thread_count(), std::min(2, kThreads));
    std::thread([] { EXPECT_EQ(thread_count(), kThreads); }).join();
  }
  EXPECT_EQ(thread_count(), kThreads);
  set_thread_count(0);
  EXPECT_EQ(thread_count(), 1);
}

TEST_F(Threads, WorkFromSeveralThreads) {
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      ThreadLimit limit(2);
      for (int i = 0; i < 20; ++i)
        parallel_for(0, 100, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum, 3 * 20 * 100);
}

TEST(FunctionRef, CallsWhatItRefersTo) {
  int state = 1;
  auto add = [&](int x) { return state += x; };
  const FunctionRef<int(int)> call = add;
  EXPECT_EQ(call(2), 3);
  EXPECT_EQ(state, 3);
  const auto constant = [](std::unique_ptr<int> p) { return *p; };
  EXPECT_EQ((FunctionRef<int(std::unique_ptr<int>)>(constant)(std::make_unique<int>(9))), 9);
}

}  // namespace
}  // namespace tenon
