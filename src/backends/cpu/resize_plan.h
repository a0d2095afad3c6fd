// Resize's axes in the order in which X lies in memory, so that channels-last images stay so.
#pragma once

#include <optional>
#include <vector>

#include "backends/cpu/strided.h"
#include "ops/image/resize_rules.h"

namespace tenon::cpu {

struct ResizePlan {
  Shape in, out;  // longest stride first
  std::vector<resize_rules::Taps> taps;

  int64_t outer(size_t axis) const {
    int64_t count = 1;
    for (size_t a = 0; a < axis; ++a) count *= in[a];
    return count;
  }
  int64_t inner(size_t axis) const {
    int64_t count = 1;
    for (size_t a = axis + 1; a < in.rank(); ++a) count *= in[a];
    return count;
  }
};

// Nothing where x has gaps between its elements. Gives y the order of x.
inline std::optional<ResizePlan> plan_resize(const TensorSpec& x, TensorSpec& y,
                                             const std::vector<resize_rules::Taps>& taps) {
  const Shape order = memory_order(x.shape, x.strides);
  ResizePlan plan{permuted(x.shape, order), permuted(y.shape, order), {}};
  const Shape dense = plan.in.row_major_strides(), steps = permuted(x.strides, order);
  for (size_t a = 0; a < order.rank(); ++a)
    if (plan.in[a] > 1 && steps[a] != dense[a]) return std::nullopt;
  const Shape strides = plan.out.row_major_strides();
  for (size_t a = 0; a < order.rank(); ++a) {
    plan.taps.push_back(taps[static_cast<size_t>(order[a])]);
    y.strides[static_cast<size_t>(order[a])] = strides[a];
  }
  y.contiguous = y.strides == y.shape.row_major_strides();
  return plan;
}

}  // namespace tenon::cpu
