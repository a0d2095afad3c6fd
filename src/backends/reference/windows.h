// Loops over the windows of convolutions and pooling.
#pragma once

#include <vector>

#include "backends/reference/elements.h"
#include "ops/nn/windows.h"

namespace tenon::reference {

// Calls fn(element of the kernel, element of the input), both counted in row-major order over the
// spatial axes, for what window `at` touches inside the input; the kernel's order.
template <class Fn>
void for_each_tap(const Windows& windows, const Shape& at, Fn&& fn) {
  const Shape strides = windows.input.row_major_strides();
  for_each_index(windows.kernel, [&](const Shape& k, int64_t linear) {
    int64_t element = 0;
    for (size_t axis = 0; axis < windows.rank(); ++axis) {
      const int64_t position = windows.start(axis, at[axis]) + k[axis] * windows.dilations[axis];
      if (position < 0 || position >= windows.input[axis]) return;
      element += position * strides[axis];
    }
    fn(linear, element);
  });
}

// Sums of many terms are kept in double until the end.
inline std::vector<double> widened(DType type, const void* data, int64_t count) {
  const In<double> in(type, data);
  std::vector<double> wide(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) wide[static_cast<size_t>(i)] = in[i];
  return wide;
}
inline void store_all(DType type, void* data, const std::vector<double>& wide) {
  const Out<double> out(type, data);
  for (size_t i = 0; i < wide.size(); ++i) out.set(static_cast<int64_t>(i), wide[i]);
}

}  // namespace tenon::reference
