// The inner loops of reductions: contiguous runs, and columns of rows. Runs are short enough that
// sums of f32 in f32 lose little; what runs give is combined in double.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace tenon::cpu {

enum class Fold : uint8_t { sum, sum_abs, sum_square, sum_exp, prod, max, min };

// Longest run of one call, and rows of one call.
inline constexpr size_t kReduceRun = 1024;
inline constexpr size_t kReduceRows = 64;

// One type's loops for one fold. Wide is double for floats and int64_t for integers, passed as the
// bits of either: see Wide below.
union Wide {
  double f;
  int64_t i;
};

struct ReduceLoops {
  // Of x[0 .. n), 1 <= n <= kReduceRun. sum_exp sums e^(x - shift).
  Wide (*run)(const void* x, size_t n, double shift) = nullptr;
  // acc[c] = fold(acc[c], fold over r of x[r*stride + c]), at most kReduceRows rows, for `columns`
  // columns; sum_exp subtracts shift[c] first. acc has x's type.
  void (*columns)(const void* x, int64_t stride, size_t rows, size_t columns, const double* shift,
                  void* acc) = nullptr;
};

// f32, f64, i32, i64; null loops for what there is not (sum_exp and sum_square of integers).
ReduceLoops reduce_loops(Fold fold, DType type);

// Index of the first (or last) element equal to `best`, the first NaN if best is NaN; x holds one.
using FindValueFn = size_t (*)(const float* x, size_t n, float best, bool last);
FindValueFn find_value();

}  // namespace tenon::cpu
