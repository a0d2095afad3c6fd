// Where a Slice reads along one axis, by ONNX's rules: negative places count from the end, places
// outside are clamped, and a negative step walks backwards.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tenon {

struct SliceRange {
  int64_t start = 0;  // first element read, when count > 0
  int64_t count = 0;
  int64_t step = 1;
};

// `step` is not 0.
inline SliceRange slice_range(int64_t size, int64_t start, int64_t end, int64_t step) {
  const auto place = [&](int64_t at, int64_t low, int64_t high) {
    return std::clamp(at < 0 ? at + size : at, low, std::max(low, high));
  };
  SliceRange range{.step = step};
  range.start = place(start, 0, step > 0 ? size : size - 1);
  const int64_t stop = place(end, step > 0 ? 0 : -1, step > 0 ? size : size - 1);
  // Unsigned, as -step may not exist.
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : -static_cast<uint64_t>(step);
  const int64_t distance = step > 0 ? stop - range.start : range.start - stop;
  if (size > 0 && distance > 0)
    range.count = static_cast<int64_t>((static_cast<uint64_t>(distance) - 1) / stride + 1);
  return range;
}

}  // namespace tenon
