#include "ops/shape/indexing.h"

#include "base/error.h"

namespace tenon {

void fail_index(std::string_view op, int64_t index, size_t axis, int64_t size) {
  TENON_CHECK(size > 0, usage,
              "{}: index {} is outside axis {} of size 0; give no indices for an empty axis", op,
              index, axis);
  fail(ErrorKind::usage, "{}: index {} is outside axis {} of size {}; use {} to {}", op, index,
       axis, size, -size, size - 1);
}

}  // namespace tenon
