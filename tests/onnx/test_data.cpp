// Reading lists.
#include "test_data.h"

#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace tenon {

std::map<std::string, std::string> read_reasons(const std::string& path) {
  std::map<std::string, std::string> reasons;
  const std::string content = read_file(path);
  for (std::string_view line : text::split_lines(content)) {
    line = text::trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    const size_t colon = line.find(": ");
    TENON_CHECK(colon != std::string_view::npos && colon > 0, data,
                "{}: the line {} is not \"name: reason\"; write it so", path, text::quoted(line));
    const auto [at, is_new] =
        reasons.emplace(line.substr(0, colon), text::trim(line.substr(colon + 2)));
    TENON_CHECK(is_new, data, "{}: {} is listed twice; keep one line", path, at->first);
  }
  return reasons;
}

std::string data_folder(const char* variable, const std::string& fallback) {
  const char* given = std::getenv(variable);
  return given && *given ? given : fallback;
}

}  // namespace tenon
