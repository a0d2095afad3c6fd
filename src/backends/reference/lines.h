// A row-major tensor seen as lines along one axis.
#pragma once

#include "tensor/shape.h"

namespace tenon::reference {

struct Lines {
  int64_t outer = 1, length = 0, stride = 1;

  Lines(const Shape& shape, size_t axis) : length(shape[axis]) {
    for (size_t a = 0; a < axis; ++a) outer *= shape[a];
    for (size_t a = axis + 1; a < shape.rank(); ++a) stride *= shape[a];
  }

  int64_t count() const { return outer * stride; }
  // First element of line i, when lines along the axis have `of` elements.
  int64_t start(int64_t i, int64_t of) const { return i / stride * of * stride + i % stride; }
  int64_t start(int64_t i) const { return start(i, length); }
};

}  // namespace tenon::reference
