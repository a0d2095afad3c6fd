// How Pad reads along one axis, by ONNX's rules: negative pads crop first, then the rest is padded.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tenon {

// The element of the input that each element of the output's axis is; -1 for the constant. With
// modes other than constant, `size` less what is cropped is 1 or more unless the output is empty.
inline std::vector<int64_t> pad_places(std::string_view mode, int64_t size, int64_t begin,
                                       int64_t end) {
  const int64_t first = std::max<int64_t>(-begin, 0);
  const int64_t kept = size - first - std::max<int64_t>(-end, 0);
  std::vector<int64_t> places(static_cast<size_t>(size + begin + end));
  for (size_t i = 0; i < places.size(); ++i) {
    int64_t at = static_cast<int64_t>(i) - std::max<int64_t>(begin, 0);
    if (mode == "constant") {
      places[i] = at >= 0 && at < kept ? first + at : -1;
      continue;
    }
    if (mode == "edge") {
      at = std::clamp<int64_t>(at, 0, kept - 1);
    } else {
      // Reflection, without repeating the border, has twice the period less the two borders.
      const int64_t period = mode == "wrap" ? kept : std::max<int64_t>(2 * kept - 2, 1);
      at = (at % period + period) % period;
      if (at >= kept) at = period - at;
    }
    places[i] = first + at;
  }
  return places;
}

}  // namespace tenon
