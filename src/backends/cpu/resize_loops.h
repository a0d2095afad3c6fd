// Loops over rows that Resize is built from. Each is the best for this processor: look it up once,
// in prepare.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tenon::cpu {

struct ResizeLoops {
  // y[i] = sum over k of weight[k * n + i] * x[index[k * n + i]]
  void (*gather)(const float* x, const int32_t* index, const float* weight, size_t taps, size_t n,
                 float* y) = nullptr;
  // y[i] = sum over k of weight[k] * rows[k][i]; no rows give zeros
  void (*blend)(const float* const* rows, const float* weight, size_t count, size_t n,
                float* y) = nullptr;
  // Bytes from and to f32; to bytes they round to nearest even and saturate.
  void (*from_u8)(const void* x, void* y, size_t n) = nullptr;
  void (*from_i8)(const void* x, void* y, size_t n) = nullptr;
  void (*to_u8)(const void* x, void* y, size_t n) = nullptr;
  void (*to_i8)(const void* x, void* y, size_t n) = nullptr;
};
const ResizeLoops& resize_loops();

// Each of n elements `factor` times; null where there is no loop for it.
using RepeatFn = void (*)(const void* x, void* y, size_t n);
RepeatFn repeat_loop(size_t element_size, int64_t factor);

}  // namespace tenon::cpu
