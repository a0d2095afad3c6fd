// Collapsing axes and gathering strided elements.
#include "backends/cpu/strided.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/error.h"

namespace tenon::cpu {

Shape broadcast_strides(const TensorSpec& spec, const Shape& to) {
  Shape strides(to.rank(), 0);
  const size_t lead = to.rank() - spec.rank();
  for (size_t i = 0; i < spec.rank(); ++i)
    strides[lead + i] = spec.shape[i] == 1 ? 0 : spec.strides[i];
  return strides;
}

Shape collapse_axes(const Shape& dims, std::span<Shape> strides) {
  // Axes only move to the left, so they are rewritten in place.
  Shape kept;
  for (size_t axis = 0; axis < dims.rank(); ++axis) {
    if (dims[axis] == 1) continue;
    const size_t last = kept.rank() - 1;
    bool merges = kept.rank() > 0;
    for (size_t i = 0; i < strides.size() && merges; ++i)
      merges = strides[i][last] == strides[i][axis] * dims[axis];
    const size_t to = merges ? last : kept.rank();
    if (merges)
      kept[last] *= dims[axis];
    else
      kept.push_back(dims[axis]);
    for (Shape& each : strides) each[to] = each[axis];
  }
  if (kept.rank() == 0) {
    std::ranges::fill(strides, Shape{0});
    return {1};
  }
  for (Shape& each : strides)
    while (each.rank() > kept.rank()) each.erase(each.rank() - 1);
  return kept;
}

Walk collapse(const Shape& dims, std::span<const Shape> strides) {
  Walk walk;
  std::ranges::copy(strides, walk.strides);
  walk.dims = collapse_axes(dims, std::span(walk.strides, strides.size()));
  return walk;
}

Shape memory_order(const Shape& dims, const Shape& strides) {
  // An axis of size 1 sorts with the axis to its left, so that it never disturbs row-major.
  Shape key = strides;
  for (size_t axis = 0; axis < dims.rank(); ++axis)
    if (dims[axis] == 1) key[axis] = axis == 0 ? INT64_MAX : key[axis - 1];
  Shape order(dims.rank(), 0);
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return key[static_cast<size_t>(a)] > key[static_cast<size_t>(b)];
  });
  return order;
}

bool take_order(const TensorSpec& x, TensorSpec& y) {
  if (x.contiguous) return true;
  const Shape strides = common_strides(x.shape, std::span(&x.strides, 1));
  if (strides == x.shape.row_major_strides()) return false;
  y.strides = strides;
  y.contiguous = false;
  return true;
}

Shape permuted(const Shape& values, const Shape& order) {
  Shape result = values;
  for (size_t i = 0; i < order.rank(); ++i) result[i] = values[static_cast<size_t>(order[i])];
  return result;
}

Shape common_strides(const Shape& dims, std::span<const Shape> operand_strides) {
  const Shape row_major = dims.row_major_strides();
  if (dims.rank() < 2 || dims.numel() == 0) return row_major;
  const Shape* first = nullptr;
  for (const Shape& strides : operand_strides) {
    bool full = true;  // else broadcast: it has no say
    for (size_t axis = 0; axis < dims.rank(); ++axis)
      if (dims[axis] != 1 && strides[axis] == 0) full = false;
    if (!full) continue;
    if (first == nullptr) first = &strides;
    for (size_t axis = 0; axis < dims.rank(); ++axis)
      if (dims[axis] != 1 && strides[axis] != (*first)[axis]) return row_major;
  }
  if (first == nullptr) return row_major;
  // Dense: in memory order every stride is the product of what lies inside.
  const Shape order = memory_order(dims, *first);
  Shape result = row_major;
  int64_t inside = 1;
  for (size_t i = order.rank(); i-- > 0;) {
    const auto axis = static_cast<size_t>(order[i]);
    if (dims[axis] != 1 && (*first)[axis] != inside) return row_major;
    result[axis] = inside;
    inside *= dims[axis];
  }
  return result;
}

Gather::Gather(const Shape& dims, const Shape& strides, size_t element_size, const void* base,
               int64_t begin)
    : dims_(dims),
      strides_(strides),
      index_(dims.rank(), 0),
      element_size_(element_size),
      base_(static_cast<const std::byte*>(base)) {
  for (size_t axis = dims.rank(); axis-- > 0;) {
    index_[axis] = begin % dims[axis];
    begin /= dims[axis];
    offset_ += index_[axis] * strides[axis];
  }
}

namespace {

template <class T>
void copy_run(std::byte* to, const std::byte* from, int64_t stride, int64_t count) {
  T* y = reinterpret_cast<T*>(to);
  const T* x = reinterpret_cast<const T*>(from);
  if (stride == 0)
    std::fill_n(y, count, *x);
  else
    for (int64_t i = 0; i < count; ++i) y[i] = x[i * stride];
}

struct Wide {
  uint64_t half[2];
};

}  // namespace

void Gather::next(void* to, int64_t count) {
  auto* y = static_cast<std::byte*>(to);
  const size_t last = dims_.rank() - 1;
  while (count > 0) {
    if (const int64_t done = next_repeated(y, count); done > 0) {
      y += static_cast<size_t>(done) * element_size_;
      count -= done;
      continue;
    }
    const int64_t run = std::min(count, dims_[last] - index_[last]);
    const std::byte* x = base_ + offset_ * static_cast<int64_t>(element_size_);
    if (strides_[last] == 1) {
      std::memcpy(y, x, static_cast<size_t>(run) * element_size_);
    } else {
      switch (element_size_) {
        case 1: copy_run<uint8_t>(y, x, strides_[last], run); break;
        case 2: copy_run<uint16_t>(y, x, strides_[last], run); break;
        case 4: copy_run<uint32_t>(y, x, strides_[last], run); break;
        case 8: copy_run<uint64_t>(y, x, strides_[last], run); break;
        default: copy_run<Wide>(y, x, strides_[last], run);
      }
    }
    y += static_cast<size_t>(run) * element_size_;
    count -= run;
    index_[last] += run;
    offset_ += run * strides_[last];
    carry(last);
  }
}

void Gather::carry(size_t axis) {
  for (; index_[axis] == dims_[axis]; --axis) {
    offset_ -= index_[axis] * strides_[axis];
    index_[axis] = 0;
    if (axis == 0) break;  // the end: a next call would start over
    ++index_[axis - 1];
    offset_ += strides_[axis - 1];
  }
}

int64_t Gather::next_repeated(std::byte* to, int64_t count) {
  const size_t last = dims_.rank() - 1;
  if (last == 0 || strides_[last - 1] != 0 || index_[last] != 0) return 0;
  const int64_t period = dims_[last];
  const int64_t repeats = std::min(count / period, dims_[last - 1] - index_[last - 1]);
  if (repeats < 4) return 0;
  const auto* x = base_ + offset_ * static_cast<int64_t>(element_size_);
  const auto bytes = static_cast<size_t>(period) * element_size_;
  for (int64_t i = 0; i < period; ++i)
    std::memcpy(to + static_cast<size_t>(i) * element_size_,
                x + i * strides_[last] * static_cast<int64_t>(element_size_), element_size_);
  // What is there is doubled until all is.
  const size_t all = bytes * static_cast<size_t>(repeats);
  for (size_t have = bytes; have < all; have *= 2)
    std::memcpy(to + have, to, std::min(have, all - have));
  index_[last - 1] += repeats;
  carry(last - 1);
  return repeats * period;
}

}  // namespace tenon::cpu
