// Reading indices that only the data decides: checked where they are used, by kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tenon {

// Fails (usage): "Gather: index 7 is outside axis 0 of size 4; use -4 to 3".
[[noreturn]] void fail_index(std::string_view op, int64_t index, size_t axis, int64_t size);

// The place that `index` names on an axis; negative ones count from the end.
inline int64_t checked_index(std::string_view op, int64_t index, size_t axis, int64_t size) {
  if (index < -size || index >= size) [[unlikely]]
    fail_index(op, index, axis, size);
  return index < 0 ? index + size : index;
}

}  // namespace tenon
