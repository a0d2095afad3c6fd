// Loops over contiguous elements that other kernels are built from: conversions and streaming
// copies. Each function is looked up once (in prepare) and is the best for this processor.
#pragma once

#include <cstddef>

#include "tensor/dtype.h"

namespace tenon::cpu {

// Converts `count` elements; `from` and `to` do not overlap.
using ConvertFn = void (*)(const void* from, void* to, size_t count);
// Between f32 and f16 or bf16, rounding to nearest even; null for other pairs.
ConvertFn half_conversion(DType from, DType to);
// Between f32 and integers of up to 32 bits, bool, and from f32 to i64, by the rules of
// copy_elements() in tensor.h; null for other pairs (u32, u64).
ConvertFn cast_conversion(DType from, DType to);

// Copies `bytes` past the caches (non-temporal stores). For results far larger than the last-level
// cache: it spares reading the destination's lines first. finish_streaming() orders the stores
// before what follows; call it on the same thread, once, when all is written.
using StreamFn = void (*)(void* to, const void* from, size_t bytes);
StreamFn stream_copy();
void finish_streaming();
// Results of at least this many bytes should be streamed: the size of the last-level cache.
size_t stream_threshold();

}  // namespace tenon::cpu
