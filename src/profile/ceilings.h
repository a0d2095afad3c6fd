// What this machine can do at most, measured: the roofs of a roofline (Williams, Waterman and
// Patterson, "Roofline: an insightful visual performance model", 2009).
#pragma once

#include <string>

namespace tenon::profile {

struct Ceilings {
  std::string cpu;        // "AMD EPYC 9B14"
  int threads = 1;        // that took part
  double gflops = 0;      // fused multiply-adds of f32 in registers, each two operations
  double l2_gbs = 0;      // reading, every thread what fits into its level-2 cache
  double memory_gbs = 0;  // reading what fits into no cache

  // GFLOP/s that so many operations for each byte of memory allow.
  double attainable(double flops_per_byte) const;
};

// Takes about half a second on thread_count() threads, and up to 1 GB of memory.
Ceilings measure_ceilings();
// As measured once before on this CPU with as many threads: kept in ceilings.json of
// user_cache_folder(). Measured anew where that cannot be written, and until nothing else used the
// processors meanwhile.
Ceilings ceilings();

}  // namespace tenon::profile
