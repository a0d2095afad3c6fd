// Shares of one, as options give them.
#pragma once

#include <string>

#include "base/text.h"

namespace tenon::cli {

// "0.5%" or "0.005"; `option` opens the error.
inline double parse_share(const std::string& text, const std::string& option) {
  const bool percent = text.ends_with('%');
  const double value = text::check_double(percent ? text.substr(0, text.size() - 1) : text, option,
                                          0, percent ? 100 : 1);
  return percent ? value / 100 : value;
}

}  // namespace tenon::cli
