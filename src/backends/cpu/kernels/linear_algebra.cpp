// Determinants and inverses of stacks of matrices, by elimination with row exchanges in double
// precision; threads share out the matrices.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backends/cpu/kernels/catalog.h"
#include "base/threads.h"
#include "ops/math/catalog.h"
#include "tensor/convert.h"

namespace tenon::cpu {

namespace {

// A matrix of n rows; columns past the first n follow what is done to the rows.
struct Elimination {
  int64_t n, width;
  std::vector<double> values;

  Elimination(int64_t rows, int64_t columns)
      : n(rows), width(columns), values(static_cast<size_t>(rows * columns)) {}
  double* row(int64_t i) { return values.data() + i * width; }

  // Puts the row of the largest element below `column` there; whether rows changed places.
  bool exchange(int64_t column) {
    int64_t best = column;
    for (int64_t i = column + 1; i < n; ++i)
      if (std::abs(row(i)[column]) > std::abs(row(best)[column])) best = i;
    if (best == column) return false;
    std::swap_ranges(row(best), row(best) + width, row(column));
    return true;
  }
  void clear_column(int64_t column, int64_t first_row) {
    const double* pivot = row(column);
    for (int64_t i = first_row; i < n; ++i) {
      if (i == column) continue;
      double* other = row(i);
      const double factor = other[column] / pivot[column];
      for (int64_t k = column; k < width; ++k) other[k] -= factor * pivot[k];
    }
  }
};

template <class T>
struct MatrixKernel : Kernel {
  int64_t n, count = 1;

  explicit MatrixKernel(const PrepareContext& ctx) : n(ctx.inputs[0].shape.back()) {
    const Shape& shape = ctx.inputs[0].shape;
    for (size_t axis = 0; axis + 2 < shape.rank(); ++axis) count *= shape[axis];
  }
  int64_t grain() const { return std::max<int64_t>(1, 32768 / (n * n * n + 1)); }
  void load(const T* x, Elimination& to) const {
    for (int64_t i = 0; i < n; ++i)
      for (int64_t k = 0; k < n; ++k) to.row(i)[k] = convert<double>(x[i * n + k]);
  }
};

template <class T>
struct DetKernel final : MatrixKernel<T> {
  using MatrixKernel<T>::MatrixKernel;

  void run(const RunContext& ctx) const override {
    const int64_t n = this->n;
    parallel_for(0, this->count, this->grain(), [&](int64_t begin, int64_t end) {
      Elimination matrix(n, n);
      for (int64_t i = begin; i < end; ++i) {
        this->load(ctx.input<T>(0) + i * n * n, matrix);
        double product = 1;
        for (int64_t column = 0; product != 0 && column < n; ++column) {
          if (matrix.exchange(column)) product = -product;
          product *= matrix.row(column)[column];
          if (product != 0) matrix.clear_column(column, column + 1);
        }
        ctx.output<T>(0)[i] = convert<T>(product);
      }
    });
  }
};

template <class T>
struct InverseKernel final : MatrixKernel<T> {
  using MatrixKernel<T>::MatrixKernel;

  void run(const RunContext& ctx) const override {
    const int64_t n = this->n;
    parallel_for(0, this->count, this->grain(), [&](int64_t begin, int64_t end) {
      Elimination matrix(n, 2 * n);
      for (int64_t i = begin; i < end; ++i) {
        std::ranges::fill(matrix.values, 0.0);
        this->load(ctx.input<T>(0) + i * n * n, matrix);
        for (int64_t row = 0; row < n; ++row) matrix.row(row)[n + row] = 1;
        bool regular = true;
        for (int64_t column = 0; regular && column < n; ++column) {
          matrix.exchange(column);
          regular = matrix.row(column)[column] != 0;
          if (regular) matrix.clear_column(column, 0);
        }
        T* y = ctx.output<T>(0) + i * n * n;
        for (int64_t row = 0; row < n; ++row) {
          const double pivot =
              regular ? matrix.row(row)[row] : std::numeric_limits<double>::quiet_NaN();
          for (int64_t k = 0; k < n; ++k)
            y[row * n + k] = convert<T>(matrix.row(row)[n + k] / pivot);
        }
      }
    });
  }
};

template <template <class> class Made>
Prepared prepare(const PrepareContext& ctx) {
  switch (ctx.inputs[0].dtype) {
    case DType::f32: return std::make_unique<Made<float>>(ctx);
    case DType::f64: return std::make_unique<Made<double>>(ctx);
    default: return refuse(fmt::format("only f32 and f64; X is {}", name(ctx.inputs[0].dtype)));
  }
}

}  // namespace

constinit const KernelList linear_algebra{
    {&op::Det, "cpu.det", prepare<DetKernel>},
    {&op::Inverse, "cpu.inverse", prepare<InverseKernel>},
};

}  // namespace tenon::cpu
