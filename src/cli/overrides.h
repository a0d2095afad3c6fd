// "optimizer.lr=0.01" arguments of --set.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace tenon::cli {

inline std::vector<std::pair<std::string, std::string>> parse_overrides(
    const std::vector<std::string>& pairs) {
  std::vector<std::pair<std::string, std::string>> list;
  for (const std::string& pair : pairs) {
    const size_t cut = pair.find('=');
    TENON_CHECK(cut != std::string::npos && cut > 0, usage,
                "--set {}: write KEY=VALUE, as in --set optimizer.lr=0.01", pair);
    list.emplace_back(pair.substr(0, cut), pair.substr(cut + 1));
  }
  return list;
}

}  // namespace tenon::cli
