// The key `size` of transforms that end in a given size.
#pragma once

#include <utility>
#include <vector>

#include "data/recipe.h"

namespace tenon::data {

inline constexpr Key kSizeKey{"size", "[height, width], or one number for both"};

inline std::pair<int64_t, int64_t> read_size(const Config& config) {
  const Config value = config.at("size");
  const auto sizes = value.as<std::vector<int64_t>>();
  if (sizes.empty() || sizes.size() > 2)
    value.fail("size takes one number or two; write 28 or [28, 28]");
  return {sizes.front(), sizes.back()};
}

}  // namespace tenon::data
