// A copy between two strided views of one shape: planned once, run on any addresses.
//
//   const StridedCopy transpose({3, 2}, DType::f32, {1, 3}, DType::f32, {2, 1});
//   transpose.run(x, y);
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"
#include "tensor/panel.h"
#include "tensor/shape.h"

namespace tenon {

// The axes two views are walked along, longest step of the target first. Those of size 1 are left
// out, and those that both sides walk as if they were one are one.
struct CopyAxes {
  struct Axis {
    int64_t size;
    int64_t from, to;  // steps in bytes
  };
  size_t count = 0;
  std::array<Axis, kMaxRank> axis;

  // Strides are in elements, of the shape's rank; 0 where the source is broadcast.
  CopyAxes(const Shape& shape, const Shape& from_strides, size_t from_bytes,
           const Shape& to_strides, size_t to_bytes);
  void move_to(size_t at, size_t place);

 private:
  void merge();
};

// A position along the `outer` first axes: where the two sides stand there.
class CopyOdometer {
 public:
  CopyOdometer(const CopyAxes& axes, size_t outer, int64_t index) : axes_(axes), outer_(outer) {
    for (size_t i = outer; i-- > 0;) {
      at_[i] = index % axes.axis[i].size;
      index /= axes.axis[i].size;
      from += at_[i] * axes.axis[i].from;
      to += at_[i] * axes.axis[i].to;
    }
  }
  void next() {
    for (size_t i = outer_; i-- > 0;) {
      const CopyAxes::Axis& axis = axes_.axis[i];
      from += axis.from;
      to += axis.to;
      if (++at_[i] < axis.size) return;
      from -= axis.size * axis.from;
      to -= axis.size * axis.to;
      at_[i] = 0;
    }
  }

  int64_t from = 0, to = 0;

 private:
  const CopyAxes& axes_;
  size_t outer_;
  std::array<int64_t, kMaxRank> at_;
};

// Converts where the types differ, by the rules of copy_elements() in tensor.h; not for strings.
class StridedCopy {
 public:
  StridedCopy(const Shape& shape, DType from_type, const Shape& from_strides, DType to_type,
              const Shape& to_strides);
  // The first elements of two views that do not overlap. Large copies use several threads.
  void run(const void* from, void* to) const;

 private:
  bool empty_;
  CopyAxes axes_;
  Panel panel_;
  CopyPanel copy_ = nullptr;
};

}  // namespace tenon
