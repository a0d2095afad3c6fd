// The limits a container puts on this process, read from Linux control groups, versions 1 and 2.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/environment.h"
#include "base/text.h"

namespace tenon::detail {

namespace {

// The first line of a file; empty when there is none.
std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Calls visit(folder) for the group and those around it. Inside a container the group's path is
// often that of the host, which is not visible: the folders that do not exist are passed over.
template <class Visit>
void for_each_folder(const std::string& root, std::string_view group, const Visit& visit) {
  std::filesystem::path relative(
      group.substr(std::min(group.find_first_not_of('/'), group.size())));
  for (; !relative.empty(); relative = relative.parent_path())
    visit(std::filesystem::path(root) / relative);
  visit(std::filesystem::path(root));
}

}  // namespace

int cgroup_cpus(const std::string& root, std::string_view group) {
  double least = std::numeric_limits<double>::infinity();
  const auto note = [&](std::string_view quota, std::string_view period) {
    const auto used = text::parse_number<int64_t>(quota);
    const auto of = text::parse_number<int64_t>(period);
    if (used && of && *used > 0 && *of > 0)
      least = std::min(least, static_cast<double>(*used) / static_cast<double>(*of));
  };
  for_each_folder(root, group, [&](const std::filesystem::path& folder) {
    const std::string line = first_line(folder / "cpu.max");  // version 2: "200000 100000"
    const std::vector<std::string_view> words = text::split_words(line);
    if (words.size() == 2) note(words[0], words[1]);
  });
  for_each_folder(root + "/cpu", group, [&](const std::filesystem::path& folder) {
    note(first_line(folder / "cpu.cfs_quota_us"), first_line(folder / "cpu.cfs_period_us"));
  });
  // A fraction of a CPU is one thread; what is over is worth one more.
  return least < 1e6 ? std::max(1, static_cast<int>(least + 0.999)) : 0;
}

uint64_t cgroup_memory(const std::string& root, std::string_view group) {
  // Version 1 says "no limit" with a number near 2^63.
  constexpr uint64_t kNone = uint64_t{1} << 60;
  uint64_t least = kNone;
  const auto note = [&](const std::filesystem::path& path) {
    if (const auto bytes = text::parse_number<uint64_t>(first_line(path)))
      least = std::min(least, *bytes);
  };
  for_each_folder(root, group,
                  [&](const std::filesystem::path& folder) { note(folder / "memory.max"); });
  for_each_folder(root + "/memory", group, [&](const std::filesystem::path& folder) {
    note(folder / "memory.limit_in_bytes");
  });
  return least == kNone ? 0 : least;
}

}  // namespace tenon::detail
