#include "profile/process_memory.h"

#include <fstream>
#include <string>

#include "base/text.h"

namespace tenon::profile {

namespace {

// A line such as "VmHWM:     12345 kB" of /proc/self/status. Not getrusage(): its maximum is
// inherited from whoever started the program.
uint64_t status_bytes(std::string_view key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const auto words = text::split_words(line);
    const auto count = words.size() > 1 ? text::parse_number<uint64_t>(words[1]) : std::nullopt;
    return count.value_or(0) * 1024;
  }
  return 0;
}

}  // namespace

uint64_t resident_bytes() { return status_bytes("VmRSS:"); }
uint64_t peak_resident_bytes() { return status_bytes("VmHWM:"); }

}  // namespace tenon::profile
