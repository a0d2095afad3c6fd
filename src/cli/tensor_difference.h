// How far two tensors that should be equal lie apart.
#pragma once

#include <string>

#include "tensor/tensor.h"

namespace tenon::cli {

struct Bounds {
  double relative = 1e-3;  // of the largest magnitude of the expected tensor
  double absolute = 1e-6;
};

struct Difference {
  bool within = true;
  double max_abs = 0;   // infinite where only one side is NaN or infinite
  double relative = 0;  // max_abs as a share of the largest magnitude expected
  int64_t at = -1;      // the element that differs most, in row-major order; -1: none does
  std::string why;      // where there are no numbers to subtract: types, shapes, text
};

// Floats may differ by `bounds.absolute` plus `bounds.relative` of the largest finite magnitude
// expected, so that what is nearly 0 beside large numbers is not judged by itself; integers by
// `bounds.absolute`; all else must be equal.
Difference difference_of(const Tensor& got, const Tensor& expected, const Bounds& bounds);

}  // namespace tenon::cli
