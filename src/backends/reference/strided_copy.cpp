#include "backends/reference/strided_copy.h"

#include "backends/reference/elements.h"

namespace tenon::reference {

void strided_copy(DType type, const Shape& shape, const Strided<void*>& to,
                  const Strided<const void*>& from) {
  if (shape.numel() == 0) return;
  // Rows along the last axis are copied at once where they lie dense on both sides.
  Shape outer = shape;
  int64_t run = 1;
  if (shape.rank() > 0 && to.strides.back() == 1 && from.strides.back() == 1) {
    run = shape.back();
    outer[shape.rank() - 1] = 1;
  }
  for_each_index(outer, [&](const Shape& index, int64_t) {
    copy_elements(type, to.base, to.offset + offset_of(index, to.strides), from.base,
                  from.offset + offset_of(index, from.strides), run);
  });
}

}  // namespace tenon::reference
