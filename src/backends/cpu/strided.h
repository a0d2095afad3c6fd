// How a strided operand is walked: its axes collapsed, its elements gathered run by run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/kernel.h"
#include "tensor/shape.h"

namespace tenon::cpu {

// Sizes with one list of strides (in elements) an operand, outermost axis first.
struct Walk {
  static constexpr size_t kOperands = 4;

  Shape dims;
  Shape strides[kOperands];

  size_t rank() const { return dims.rank(); }
};

// Strides of `spec` aligned to the trailing axes of `to`, 0 where it is broadcast.
Shape broadcast_strides(const TensorSpec& spec, const Shape& to);

// Drops axes of size 1 and merges neighbours that all operands walk alike. At least rank 1.
Walk collapse(const Shape& dims, std::span<const Shape> strides);
// As above for any number of operands, whose strides are rewritten; the sizes that are left.
Shape collapse_axes(const Shape& dims, std::span<Shape> strides);

// The axes of a dense tensor from the longest stride to the shortest; axes of size 1 stay in
// place relative to their left neighbours. Row-major gives 0, 1, 2...
Shape memory_order(const Shape& dims, const Shape& strides);

// Where every operand that is not broadcast has one and the same dense order other than row-major
// (channels-last), that order as strides of the output; else row-major strides.
Shape common_strides(const Shape& dims, std::span<const Shape> operand_strides);

// For kernels that look at one element at a time: whether x fills one block of memory. If that is
// in another order than row-major, y is given the same.
bool take_order(const TensorSpec& x, TensorSpec& y);

Shape permuted(const Shape& values, const Shape& order);

// Elements of one operand in the order of its walk.
class Gather {
 public:
  // Starts at element `begin`; element_size is 1, 2, 4, 8 or 16.
  Gather(const Shape& dims, const Shape& strides, size_t element_size, const void* base,
         int64_t begin);
  // Copies the next `count` elements.
  void next(void* to, int64_t count);

 private:
  // Takes the index over to the outer axes where `axis` is through.
  void carry(size_t axis);
  // A short row that the axis outside it repeats: as many whole ones as fit; 0 elsewhere.
  int64_t next_repeated(std::byte* to, int64_t count);

  Shape dims_, strides_, index_;
  size_t element_size_;
  const std::byte* base_;
  int64_t offset_ = 0;
};

}  // namespace tenon::cpu
