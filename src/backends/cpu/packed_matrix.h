// A constant matrix of f32 packed into panels, and products of rows with it on several threads.
#pragma once

#include "backends/cpu/activation_loop.h"
#include "backends/cpu/linear_loops.h"
#include "runtime/packed_store.h"

namespace tenon::cpu {

// Element (i, j) of a matrix [k, columns] is data[i * k_stride + j * column_stride].
struct MatrixView {
  const float* data = nullptr;
  int64_t k = 0, columns = 0;
  int64_t k_stride = 0, column_stride = 0;
};

struct PackedMatrix {
  LinearLoops loops;
  int64_t k = 0, columns = 0;
  Tensor panels;  // one behind the other
};
// k and columns are at least 1.
PackedMatrix pack_matrix(const MatrixView& matrix);
// Made once for a constant.
PackedMatrix pack_matrix(PackedStore& store, const MatrixView& matrix);

// y = activation(scale * x * matrix + bias + add), row by row.
struct LinearProduct {
  const float* x = nullptr;
  int64_t rows = 0, x_stride = 0;  // strides are in elements, from row to row
  float scale = 1;
  const float* bias = nullptr;  // one a column; null: none
  const float* add = nullptr;   // may be y; null: none
  int64_t add_stride = 0;
  float* y = nullptr;
  int64_t y_stride = 0;
};
void multiply(const PackedMatrix& matrix, const LinearProduct& product,
              const ActivationLoop& activation = {});

}  // namespace tenon::cpu
