// What the machine, the system and this build are.
#include "base/environment.h"

#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <omp.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/text.h"
#include "base/version.h"

namespace tenon {

namespace {

constexpr const char* kCgroupRoot = "/sys/fs/cgroup";

// The instruction sets that kernels here or in the libraries below are chosen by, with the names of
// /proc/cpuinfo on x86 and on ARM.
constexpr std::array<std::string_view, 20> kExtensions{
    "sse4_2",   "avx",      "f16c",     "fma",         "avx2",        "avx_vnni",    "avx512f",
    "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile",
    "amx_int8", "amx_bf16", "asimd",    "asimddp",     "sve",         "sve2"};

// Calls visit(key, value) for the "key : value" lines of a file.
template <class Visit>
void for_each_fact(const char* path, const Visit& visit) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string_view view(line);
    visit(text::trim(view.substr(0, colon)), text::trim(view.substr(colon + 1)));
  }
}

uint64_t cache_bytes(int name) {
  const long bytes = sysconf(name);
  return bytes > 0 ? static_cast<uint64_t>(bytes) : 0;
}

// The group of this process: of version 2, or of `controller` in version 1.
std::string own_cgroup(std::string_view controller) {
  std::ifstream file("/proc/self/cgroup");  // "0::/a/b" or "4:cpu,cpuacct:/a/b"
  std::string group = "/";
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string_view> fields = text::split(line, ':');
    if (fields.size() < 3) continue;
    const std::vector<std::string_view> controllers = text::split(fields[1], ',');
    if (fields[1].empty() ||
        std::find(controllers.begin(), controllers.end(), controller) != controllers.end())
      group = std::string(fields[2]);
  }
  return group;
}

std::string os_name() {
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("PRETTY_NAME=")) {
      std::string_view name = std::string_view(line).substr(12);
      if (name.size() >= 2 && name.starts_with('"') && name.ends_with('"'))
        name = name.substr(1, name.size() - 2);
      return std::string(name);
    }
  return "";
}

std::string build_kind() {
  std::string kind;
#if defined(NDEBUG)
  kind = "release";
#else
  kind = "development";
#endif
#if defined(__SANITIZE_ADDRESS__)
  kind += ", AddressSanitizer";
#endif
#if defined(__SANITIZE_THREAD__)
  kind += ", ThreadSanitizer";
#endif
  return kind;
}

std::vector<std::pair<std::string, std::string>> library_versions() {
  return {
      {"fmt",
       fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
      {"nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR,
                                    NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
      {"zlib", zlibVersion()},
      {"OpenMP", fmt::format("{}", _OPENMP)},  // year and month of the specification
      {"glibc", gnu_get_libc_version()},
  };
}

}  // namespace

int available_cpus() {
  int count = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof(mask), &mask) == 0) count = CPU_COUNT(&mask);
  if (const int quota = detail::cgroup_cpus(kCgroupRoot, own_cgroup("cpu")); quota > 0)
    count = std::min(count, quota);
  return std::max(1, count);
}

CpuFacts read_cpu_facts() {
  CpuFacts facts;
  std::set<std::string> flags;
  std::set<std::pair<std::string, std::string>> cores;
  std::string package;
  for_each_fact("/proc/cpuinfo", [&](std::string_view key, std::string_view value) {
    if (key == "processor") ++facts.logical;
    if (key == "model name" && facts.model.empty()) facts.model = value;
    if (key == "physical id") package = value;
    if (key == "core id") cores.emplace(package, value);
    if ((key == "flags" || key == "Features") && flags.empty())
      for (std::string_view flag : text::split_words(value)) flags.emplace(flag);
  });
  for (std::string_view extension : kExtensions)
    if (flags.count(std::string(extension)) != 0) facts.extensions.emplace_back(extension);
  facts.cores = cores.empty() ? facts.logical : static_cast<int>(cores.size());
  facts.available = available_cpus();
  facts.l1d_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE);
  facts.l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE);
  facts.l3_bytes = cache_bytes(_SC_LEVEL3_CACHE_SIZE);
  return facts;
}

MemoryFacts read_memory_facts() {
  MemoryFacts facts;
  for_each_fact("/proc/meminfo", [&](std::string_view key, std::string_view value) {
    const std::vector<std::string_view> words = text::split_words(value);  // "123 kB"
    const uint64_t kib = words.empty() ? 0 : text::parse_number<uint64_t>(words[0]).value_or(0);
    if (key == "MemTotal") facts.total = kib * 1024;
    if (key == "MemAvailable") facts.available = kib * 1024;
  });
  facts.limit = detail::cgroup_memory(kCgroupRoot, own_cgroup("memory"));
  if (facts.limit >= facts.total) facts.limit = 0;
  return facts;
}

Environment read_environment() {
  Environment environment;
  environment.cpu = read_cpu_facts();
  environment.memory = read_memory_facts();
  environment.os = os_name();
  if (utsname name{}; uname(&name) == 0)
    environment.kernel = fmt::format("{} {} {}", name.sysname, name.release, name.machine);
#if defined(__clang__)
  environment.compiler =
      fmt::format("Clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  environment.compiler = fmt::format("GCC {}", __VERSION__);
#endif
  environment.build = build_kind();
  environment.tenon_version = library_version();
  environment.libraries = library_versions();
  return environment;
}

std::vector<std::pair<std::string, std::string>> describe(const Environment& environment) {
  const CpuFacts& cpu = environment.cpu;
  const MemoryFacts& memory = environment.memory;
  std::vector<std::string> libraries;
  for (const auto& [name, version] : environment.libraries)
    libraries.push_back(name + " " + version);
  const auto binary_size = [](uint64_t bytes) {
    return bytes >= (1U << 20) ? fmt::format("{:.4g} MiB", static_cast<double>(bytes) / 0x1p20)
                               : fmt::format("{:.4g} KiB", static_cast<double>(bytes) / 0x1p10);
  };
  return {
      {"Tenon", fmt::format("{} ({})", environment.tenon_version, environment.build)},
      {"CPU", cpu.model.empty() ? "unknown" : cpu.model},
      {"CPUs", fmt::format("{} available; {}, {} with hyperthreads", cpu.available,
                           text::plural(static_cast<uint64_t>(cpu.cores), "core"), cpu.logical)},
      {"Vector extensions", text::join(cpu.extensions, " ")},
      {"Caches", fmt::format("L1d {}, L2 {}, L3 {}", binary_size(cpu.l1d_bytes),
                             binary_size(cpu.l2_bytes), binary_size(cpu.l3_bytes))},
      {"Memory", fmt::format("{}, {} available{}", text::human_bytes(memory.total),
                             text::human_bytes(memory.available),
                             memory.limit == 0 ? ""
                                               : fmt::format(", this container may use {}",
                                                             text::human_bytes(memory.limit)))},
      {"System", fmt::format("{}, {}", environment.os, environment.kernel)},
      {"Compiler", environment.compiler},
      {"Libraries", text::join(libraries, ", ")},
  };
}

std::string user_cache_folder() {
  const auto folder = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr && *value == '/' ? value : "");
  };
  if (const char* wanted = std::getenv("TENON_CACHE"); wanted && std::string_view(wanted) == "off")
    return "";
  if (std::string own = folder("TENON_CACHE_DIR"); !own.empty()) return own;
  if (const std::string caches = folder("XDG_CACHE_HOME"); !caches.empty())
    return caches + "/tenon";
  const std::string home = folder("HOME");
  return home.empty() ? "" : home + "/.cache/tenon";
}

}  // namespace tenon
