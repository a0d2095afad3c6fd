// How MatMulNBits stores its weights: [columns, blocks, blob] bytes, each block's elements packed
// along K, the first in the lowest bits.
#pragma once

#include "ops/op.h"

namespace tenon::microsoft {

struct PackedWeights {
  int64_t inner, columns, bits, block;

  explicit PackedWeights(const Call& call)
      : inner(call.i("K")),
        columns(call.i("N")),
        bits(call.i("bits")),
        block(call.i("block_size")) {}

  int64_t blocks() const { return (inner + block - 1) / block; }
  int64_t blob() const { return block * bits / 8; }                 // bytes of a block
  int64_t zero_bytes() const { return (blocks() * bits + 7) / 8; }  // packed zero points a column
};

}  // namespace tenon::microsoft
