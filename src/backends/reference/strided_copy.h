// The loop under everything that only moves elements.
#pragma once

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace tenon::reference {

// One side of a copy: where the first element lies, and the strides in elements.
template <class Pointer>
struct Strided {
  Pointer base;
  int64_t offset;
  Shape strides;
};

// to[i] = from[i] for all indices i of `shape`; any dtype, strides of 0 or below included.
void strided_copy(DType type, const Shape& shape, const Strided<void*>& to,
                  const Strided<const void*>& from);

}  // namespace tenon::reference
