// Facts about the machine and this build, for reports, benchmarks and `tenon doctor`. What cannot
// be found out is empty or 0.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenon {

struct CpuFacts {
  std::string model;                    // "AMD EPYC 9B14"
  std::vector<std::string> extensions;  // of those Tenon can use: "avx2", "fma", "avx512f", ...
  int logical = 0;                      // CPUs of the machine, hyperthreads included
  int cores = 0;                        // physical
  int available = 0;                    // CPUs this process may use: affinity and container quota
  uint64_t l1d_bytes = 0;               // a core's
  uint64_t l2_bytes = 0;
  uint64_t l3_bytes = 0;  // a shared one's
};
struct MemoryFacts {
  uint64_t total = 0;
  uint64_t available = 0;
  uint64_t limit = 0;  // of the container; 0: none
};
struct Environment {
  CpuFacts cpu;
  MemoryFacts memory;
  std::string os;        // "Debian GNU/Linux 12 (bookworm)"
  std::string kernel;    // "Linux 6.1.0 x86_64"
  std::string compiler;  // "GCC 12.2.0"
  std::string build;     // "release", "debug", with sanitizers
  std::string tenon_version;
  std::vector<std::pair<std::string, std::string>> libraries;  // name and version
};

// CPUs this process may use: the affinity mask, less where a control group sets a quota. At
// least 1.
int available_cpus();
CpuFacts read_cpu_facts();
MemoryFacts read_memory_facts();
Environment read_environment();
// Where a user's programs keep what can be made again: $TENON_CACHE_DIR, else
// $XDG_CACHE_HOME/tenon, else $HOME/.cache/tenon. "" where there is none of them, and where
// TENON_CACHE is "off".
std::string user_cache_folder();
// Label and value, in the order a report prints them.
std::vector<std::pair<std::string, std::string>> describe(const Environment& environment);

namespace detail {
// CPUs that the control group `group` ("/a/b", as in /proc/self/cgroup) and those around it grant,
// rounded up; 0: no limit. `root` is where the file system of control groups is mounted.
int cgroup_cpus(const std::string& root, std::string_view group);
uint64_t cgroup_memory(const std::string& root, std::string_view group);  // bytes; 0: no limit
}  // namespace detail

}  // namespace tenon
