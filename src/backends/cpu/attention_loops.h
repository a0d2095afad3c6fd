// Attention in tiles: the scores of a block of queries with a block of keys are made, turned into
// weights and used up before the next, with a running maximum and sum for each query (Dao et al.
// 2022, https://arxiv.org/abs/2205.14135; Milakov and Gimelshein 2018,
// https://arxiv.org/abs/1805.02867). No matrix of scores is ever in memory, and keys that no query
// of a block may see are never read.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace tenon::cpu {

// One of Q, K, V and Y as [batch, heads, length, size], strides in elements; rows are dense.
struct HeadLayout {
  int64_t batch = 0, head = 0, row = 0;
};

struct AttentionShape {
  static constexpr int64_t kMostRows = 192;  // queries of one unit of work
  static constexpr int64_t kRows = 32;   // those whose scores are made together: they stay in L1
  static constexpr int64_t kKeys = 128;  // keys of one block

  DType type = DType::f32;  // of Q, K, V and Y: f32, f16 or bf16
  int64_t batch = 0, heads = 0, kv_heads = 0, queries = 0, keys = 0, size = 0, v_size = 0;
  HeadLayout q, k, v, y;
  bool causal = false;
  // Query s sees keys up to s + offset; where lengths are given they decide the offset.
  int64_t causal_offset = 0;
  float scale = 1, softcap = 0;  // 0: none
  int64_t mask_keys = 0;         // 0: no mask
  DType mask_type = DType::f32;  // or bool: may be seen; or a 16-bit float
  int64_t mask_batch = 0, mask_head = 0, mask_row = 0;
  int64_t row_block = kMostRows;  // a multiple of 4

  // Query heads that share a key head are rows of one problem: row r is query r % queries.
  int64_t group() const { return heads / kv_heads; }
  int64_t rows() const { return group() * queries; }
  int64_t blocks() const { return (rows() + row_block - 1) / row_block; }
  int64_t units() const { return batch * kv_heads * blocks(); }
  // Memory that one unit at a time works in.
  int64_t work_floats() const;
};

struct AttentionData {
  const void *q = nullptr, *k = nullptr, *v = nullptr, *mask = nullptr;
  const int64_t* lengths = nullptr;  // valid keys, one a batch; or null
  void* y = nullptr;
};

using AttendFn = void (*)(const AttentionShape& shape, const AttentionData& data, int64_t unit,
                          float* work);
// For this processor.
AttendFn attend_loop();

}  // namespace tenon::cpu
