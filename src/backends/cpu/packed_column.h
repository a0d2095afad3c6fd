// One column of a matrix whose elements are packed several to a byte, and the rows it meets.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tenon::cpu {

struct PackedColumn {
  const uint8_t* bytes;  // blocks, each of `blob` bytes
  const float* scales;   // one a block
  const float* zeros;
  const float* rows;  // reordered, `row_stride` apart
  size_t row_stride, blocks, blob;
};

}  // namespace tenon::cpu
