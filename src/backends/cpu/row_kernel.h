// Kernels that work on rows of f32: f16 and bf16 rows are widened into a buffer and narrowed back.
#pragma once

#include <cstddef>
#include <vector>

#include "backends/cpu/rows.h"

namespace tenon::cpu {

// One operand of a row kernel; a thread makes its own.
class WidenedRow {
 public:
  WidenedRow(DType type, size_t length)
      : size_(size_of(type)),
        widen_(half_conversion(type, DType::f32)),
        narrow_(half_conversion(DType::f32, type)),
        buffer_(widen_ ? length : 0) {}

  // Elements `at` to `at` + count of `base` as floats.
  const float* read(const void* base, int64_t at, size_t count) {
    const auto* from = static_cast<const std::byte*>(base) + at * static_cast<int64_t>(size_);
    if (!widen_) return reinterpret_cast<const float*>(from);
    widen_(from, buffer_.data(), count);
    return buffer_.data();
  }
  // Where to write them; write() puts them in place.
  float* place(void* base, int64_t at) {
    if (narrow_) return buffer_.data();
    return static_cast<float*>(base) + at;
  }
  void write(void* base, int64_t at, size_t count) {
    if (!narrow_) return;
    narrow_(buffer_.data(), static_cast<std::byte*>(base) + at * static_cast<int64_t>(size_),
            count);
  }

 private:
  size_t size_;
  ConvertFn widen_, narrow_;
  std::vector<float> buffer_;
};

}  // namespace tenon::cpu
