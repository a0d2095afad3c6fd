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
  const Shape kernel_strides = windows.kernel.row_major_strides();
  // Only the part of the kernel that lies inside: a kernel may be far larger than the input.
  Shape first, count;
  for (size_t axis = 0; axis < windows.rank(); ++axis) {
    const auto [begin, end] = windows.taps(axis, at[axis], false);
    first.push_back(begin);
    count.push_back(end - begin);
  }
  for_each_index(count, [&](const Shape& k, int64_t) {
    int64_t element = 0, linear = 0;
    for (size_t axis = 0; axis < windows.rank(); ++axis) {
      const int64_t tap = first[axis] + k[axis];
      linear += tap * kernel_strides[axis];
      element += (windows.start(axis, at[axis]) + tap * windows.dilations[axis]) * strides[axis];
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
