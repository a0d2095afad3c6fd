#include "tensor/shape.h"

#include <algorithm>

#include "base/error.h"

namespace tenon {
namespace {

void check_rank(size_t rank) {
  TENON_CHECK(rank <= kMaxRank, unsupported,
              "shape: rank {} is above the {} axes a tensor can have; merge some axes", rank,
              kMaxRank);
}

}  // namespace

Shape::Shape(std::span<const int64_t> sizes) {
  check_rank(sizes.size());
  rank_ = static_cast<uint8_t>(sizes.size());
  std::ranges::copy(sizes, sizes_.begin());
}

Shape::Shape(size_t rank, int64_t value) {
  check_rank(rank);
  rank_ = static_cast<uint8_t>(rank);
  std::fill(begin(), end(), value);
}

void Shape::push_back(int64_t size) {
  check_rank(rank_ + size_t{1});
  sizes_[rank_++] = size;
}

void Shape::insert(size_t at, int64_t size) {
  TENON_BUG_IF(at > rank_, "Shape::insert at {} of rank {}", at, rank_);
  check_rank(rank_ + size_t{1});
  std::copy_backward(begin() + at, end(), end() + 1);
  sizes_[at] = size;
  ++rank_;
}

void Shape::erase(size_t at) {
  TENON_BUG_IF(at >= rank_, "Shape::erase at {} of rank {}", at, rank_);
  std::copy(begin() + at + 1, end(), begin() + at);
  --rank_;
}

int64_t Shape::numel() const {
  int64_t count = 1;
  bool overflow = false;
  bool none = false;
  for (const int64_t size : *this) {
    TENON_CHECK(size >= 0, usage, "shape: {} has the negative size {}; sizes start at 0", str(),
                size);
    overflow |= __builtin_mul_overflow(count, size, &count);
    none |= size == 0;
  }
  if (none) return 0;  // [2^40, 2^40, 0] overflows on the way and is fine
  TENON_CHECK(!overflow, resource, "shape: {} has more than 2^63 elements; use smaller sizes",
              str());
  return count;
}

Shape Shape::row_major_strides() const {
  Shape strides;
  strides.rank_ = rank_;
  // Unsigned: a shape with a zero may overflow here, where no stride is ever used.
  uint64_t stride = 1;
  for (size_t i = rank_; i-- > 0;) {
    strides.sizes_[i] = static_cast<int64_t>(stride);
    stride *= static_cast<uint64_t>(std::max<int64_t>(sizes_[i], 1));
  }
  return strides;
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

std::string Shape::str() const {
  std::string text = "[";
  for (size_t i = 0; i < rank_; ++i) {
    if (i) text += ", ";
    text += std::to_string(sizes_[i]);
  }
  return text + "]";
}

Shape broadcast(const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  const size_t shift = longer.rank() - shorter.rank();
  for (size_t i = 0; i < shorter.rank(); ++i) {
    int64_t& size = out[i + shift];
    if (size == shorter[i] || shorter[i] == 1) continue;
    TENON_CHECK(size == 1, usage,
                "broadcast: shapes {} and {} do not fit: {} against {} on axis {}; "
                "sizes must be equal or one of them 1, counted from the last axis",
                a.str(), b.str(), a.rank() >= b.rank() ? size : shorter[i],
                a.rank() >= b.rank() ? shorter[i] : size, i + shift);
    size = shorter[i];
  }
  return out;
}

int64_t normalize_axis(int64_t axis, size_t rank, std::string_view where) {
  const auto count = static_cast<int64_t>(rank);
  if (axis >= -count && axis < count) [[likely]]
    return axis < 0 ? axis + count : axis;
  TENON_CHECK(count > 0, usage,
              "{}: axis {} is outside a scalar, which has no axes; give a tensor of rank 1 or more",
              where, axis);
  fail(ErrorKind::usage, "{}: axis {} is outside a shape of rank {}; use {} to {}", where, axis,
       rank, -count, count - 1);
}

}  // namespace tenon
