// The loops that measure are compiled once for each instruction set; the best one runs.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "profile/ceilings.cpp"
#if defined(__x86_64__) && !defined(HWY_BASELINE_TARGETS)
#define HWY_BASELINE_TARGETS HWY_SSE4
#endif
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace tenon::profile::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Twelve chains of multiply-adds: more than latency times throughput of any core. Returns how many
// operations were done; `sink` keeps the compiler from leaving them out.
double multiply_add(int64_t rounds, float* sink) {
  const hn::ScalableTag<float> d;
  const auto factor = hn::Set(d, 0.999F), term = hn::Set(d, 0.001F);  // stays near 1
  auto a0 = hn::Set(d, *sink), a1 = hn::Add(a0, term), a2 = hn::Add(a1, term);
  auto a3 = hn::Add(a2, term), a4 = hn::Add(a3, term), a5 = hn::Add(a4, term);
  auto a6 = hn::Add(a5, term), a7 = hn::Add(a6, term), a8 = hn::Add(a7, term);
  auto a9 = hn::Add(a8, term), a10 = hn::Add(a9, term), a11 = hn::Add(a10, term);
  for (int64_t i = 0; i < rounds; ++i) {
    a0 = hn::MulAdd(a0, factor, term);
    a1 = hn::MulAdd(a1, factor, term);
    a2 = hn::MulAdd(a2, factor, term);
    a3 = hn::MulAdd(a3, factor, term);
    a4 = hn::MulAdd(a4, factor, term);
    a5 = hn::MulAdd(a5, factor, term);
    a6 = hn::MulAdd(a6, factor, term);
    a7 = hn::MulAdd(a7, factor, term);
    a8 = hn::MulAdd(a8, factor, term);
    a9 = hn::MulAdd(a9, factor, term);
    a10 = hn::MulAdd(a10, factor, term);
    a11 = hn::MulAdd(a11, factor, term);
  }
  const auto low = hn::Add(hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)), hn::Add(a4, a5));
  const auto high = hn::Add(hn::Add(hn::Add(a6, a7), hn::Add(a8, a9)), hn::Add(a10, a11));
  *sink = hn::GetLane(hn::SumOfLanes(d, hn::Add(low, high)));
  return 2.0 * 12.0 * static_cast<double>(hn::Lanes(d)) * static_cast<double>(rounds);
}

// The sum of `count` floats, a multiple of 8 vectors.
float read_all(const float* from, size_t count) {
  const hn::ScalableTag<float> d;
  const size_t n = hn::Lanes(d);
  auto a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
  for (size_t i = 0; i + 8 * n <= count; i += 8 * n) {
    a0 = hn::Add(a0, hn::LoadU(d, from + i));
    a1 = hn::Add(a1, hn::LoadU(d, from + i + n));
    a2 = hn::Add(a2, hn::LoadU(d, from + i + 2 * n));
    a3 = hn::Add(a3, hn::LoadU(d, from + i + 3 * n));
    a4 = hn::Add(a4, hn::LoadU(d, from + i + 4 * n));
    a5 = hn::Add(a5, hn::LoadU(d, from + i + 5 * n));
    a6 = hn::Add(a6, hn::LoadU(d, from + i + 6 * n));
    a7 = hn::Add(a7, hn::LoadU(d, from + i + 7 * n));
  }
  const auto low = hn::Add(hn::Add(a0, a1), hn::Add(a2, a3));
  const auto high = hn::Add(hn::Add(a4, a5), hn::Add(a6, a7));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(low, high)));
}

}  // namespace tenon::profile::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/environment.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/threads.h"
#include "base/trace.h"
#include "profile/ceilings.h"
#include "profile/statistics.h"

namespace tenon::profile {

HWY_EXPORT(multiply_add);
HWY_EXPORT(read_all);

namespace {

constexpr int kVersion = 1;           // of how it is measured
constexpr double kSeconds = 0.1;      // for each ceiling
constexpr size_t kAlignment = 1024;   // floats; a multiple of 8 vectors of any target
constexpr double kUndisturbed = 0.9;  // of the time that passes, in which threads must have run

double thread_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double wall_seconds() { return static_cast<double>(trace::now_ns()) * 1e-9; }

// What all threads together do in a second, and whether nobody else took their processors.
struct Pace {
  double rate = 0;
  bool undisturbed = true;
};

// `piece(thread)` works for well under a millisecond, or a few, and returns how much it did. Each
// thread times its own pieces, so that none waits for another. Of these the fastest counts where
// threads share nothing, and the one in the middle where they compete for memory.
Pace measure(int threads, bool shared, const std::function<double(size_t)>& piece) {
  std::vector<double> rates(static_cast<size_t>(threads)), shares(static_cast<size_t>(threads), 1);
  parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto thread = static_cast<size_t>(i);
      piece(thread);  // maps pages, fills caches
      std::vector<double> own;
      const double start = wall_seconds(), start_cpu = thread_seconds();
      double now = start;
      while (now - start < kSeconds) {
        const double before = now, done = piece(thread);
        now = wall_seconds();
        own.push_back(done / (now - before));
      }
      const Summary summary = summarize(std::move(own));
      rates[thread] = shared ? summary.median : summary.max;
      shares[thread] = (thread_seconds() - start_cpu) / (now - start);
    }
  });
  Pace pace;
  for (size_t i = 0; i < rates.size(); ++i) {
    pace.rate += rates[i];
    pace.undisturbed = pace.undisturbed && shares[i] >= kUndisturbed;
  }
  return pace;
}

Pace measure_arithmetic(int threads) {
  const auto loop = HWY_DYNAMIC_DISPATCH(multiply_add);
  std::vector<float> sinks(static_cast<size_t>(threads), 1.0F);
  const Pace pace =
      measure(threads, false, [&](size_t thread) { return loop(40'000, &sinks[thread]); });
  TENON_BUG_IF(!(sinks[0] > 0), "the chains of multiply-adds ended at {}", sinks[0]);
  return pace;
}

// Bytes a second of reading `bytes` a thread, in pieces of `times` passes.
Pace measure_reading(int threads, uint64_t bytes, int times, bool shared) {
  const size_t count = std::max<size_t>(bytes / sizeof(float) / kAlignment, 1) * kAlignment;
  const auto loop = HWY_DYNAMIC_DISPATCH(read_all);
  std::vector<std::vector<float>> data(static_cast<size_t>(threads));
  std::vector<float> sums(static_cast<size_t>(threads));
  const Pace pace = measure(threads, shared, [&](size_t thread) {
    std::vector<float>& own = data[thread];
    if (own.empty()) own.assign(count, 1.0F);  // by the thread that reads it
    float sum = 0;
    for (int t = 0; t < times; ++t) sum += loop(own.data(), own.size());
    sums[thread] = sum;
    return static_cast<double>(count) * sizeof(float) * times;
  });
  TENON_BUG_IF(!(sums[0] > 0), "reading {} floats gave the sum {}", count, sums[0]);
  return pace;
}

struct Measured {
  Ceilings ceilings;
  bool undisturbed = true;
};

Measured measure_all() {
  const CpuFacts cpu = read_cpu_facts();
  const int threads = thread_count();
  const uint64_t l2 = cpu.l2_bytes > 0 ? cpu.l2_bytes : 512 << 10;
  const uint64_t l3 = cpu.l3_bytes > 0 ? cpu.l3_bytes : 32 << 20;
  // Four times the last cache in all; no more than 1 GiB, which a very large cache may hold in
  // part.
  const uint64_t large = std::min<uint64_t>(std::max<uint64_t>(4 * l3, 64 << 20), 1 << 30);
  const Pace arithmetic = measure_arithmetic(threads);
  const Pace cache = measure_reading(threads, l2 / 2, 16, false);
  const Pace memory = measure_reading(threads, large / static_cast<uint64_t>(threads), 1, true);
  return {{.cpu = cpu.model,
           .threads = threads,
           .gflops = arithmetic.rate * 1e-9,
           .l2_gbs = cache.rate * 1e-9,
           .memory_gbs = memory.rate * 1e-9},
          arithmetic.undisturbed && cache.undisturbed && memory.undisturbed};
}

std::string cache_path() {
  const std::string folder = user_cache_folder();
  return folder.empty() ? "" : folder + "/ceilings.json";
}

// The cache as it lies on disk; empty where there is none, or none that can be read.
Json read_cache(const std::string& path) {
  if (path.empty() || !exists(path)) return Json::object();
  try {
    Json cache = read_json(path, 1 << 20);
    return cache.is_object() ? cache : Json::object();
  } catch (const Error&) {
    return Json::object();
  }
}

}  // namespace

double Ceilings::attainable(double flops_per_byte) const {
  return std::min(gflops, memory_gbs * flops_per_byte);
}

Ceilings measure_ceilings() { return measure_all().ceilings; }

Ceilings ceilings() {
  const std::string path = cache_path();
  const std::string model = read_cpu_facts().model;
  const std::string key = fmt::format("{}, {} threads, {}", model, thread_count(), kVersion);
  Json cache = read_cache(path);
  if (const auto found = cache.find(key); found != cache.end() && found->is_object()) {
    const Ceilings known{.cpu = model,
                         .threads = thread_count(),
                         .gflops = found->value("gflops", 0.0),
                         .l2_gbs = found->value("l2_gbs", 0.0),
                         .memory_gbs = found->value("memory_gbs", 0.0)};
    if (known.gflops > 0 && known.l2_gbs > 0 && known.memory_gbs > 0) return known;
  }
  const auto [measured, undisturbed] = measure_all();
  cache[key] = {{"gflops", measured.gflops},
                {"l2_gbs", measured.l2_gbs},
                {"memory_gbs", measured.memory_gbs}};
  if (path.empty() || !undisturbed) return measured;
  try {
    create_directories(user_cache_folder());
    write_json(path, cache);
  } catch (const Error&) {
    // A home that cannot be written to is no reason to fail: it only takes another half second.
  }
  return measured;
}

}  // namespace tenon::profile

#endif
