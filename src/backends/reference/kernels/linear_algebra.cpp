// Determinants and inverses by elimination with row exchanges.
#include <cmath>
#include <limits>
#include <vector>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/math/catalog.h"

namespace tenon::reference {

namespace {

// [count, n, n]
struct Matrices {
  DType type;
  int64_t n, count = 1;

  explicit Matrices(const TensorSpec& x) : type(x.dtype), n(x.shape.back()) {
    for (size_t axis = 0; axis + 2 < x.rank(); ++axis) count *= x.shape[axis];
  }
};

// A square matrix beside `extra` columns.
struct Rows {
  int64_t n, width;
  std::vector<double> values;

  Rows(int64_t size, int64_t extra)
      : n(size), width(size + extra), values(static_cast<size_t>(size * width)) {}
  double& at(int64_t row, int64_t column) {
    return values[static_cast<size_t>(row * width + column)];
  }

  // Makes the row of the largest element below `column` the one at it; whether rows changed places.
  bool exchange(int64_t column) {
    int64_t best = column;
    for (int64_t row = column + 1; row < n; ++row)
      if (std::abs(at(row, column)) > std::abs(at(best, column))) best = row;
    for (int64_t k = 0; best != column && k < width; ++k) std::swap(at(best, k), at(column, k));
    return best != column;
  }
  // Takes multiples of row `column` off another, so that its element in that column is 0.
  void eliminate(int64_t row, int64_t column) {
    const double factor = at(row, column) / at(column, column);
    for (int64_t k = column; k < width; ++k) at(row, k) -= factor * at(column, k);
  }
};

double determinant(Rows& rows) {
  double product = 1;
  for (int64_t column = 0; column < rows.n; ++column) {
    if (rows.exchange(column)) product = -product;
    product *= rows.at(column, column);
    if (rows.at(column, column) == 0) return 0;
    for (int64_t row = column + 1; row < rows.n; ++row) rows.eliminate(row, column);
  }
  return product;
}

Prepared prepare_det(const PrepareContext& ctx) {
  return make_kernel([m = Matrices(ctx.inputs[0])](const RunContext& run) {
    const In<double> x(m.type, run.in[0]);
    const Out<double> y(m.type, run.out[0]);
    for (int64_t i = 0; i < m.count; ++i) {
      Rows rows(m.n, 0);
      for (int64_t k = 0; k < m.n * m.n; ++k)
        rows.values[static_cast<size_t>(k)] = x[i * m.n * m.n + k];
      y.set(i, determinant(rows));
    }
  });
}

Prepared prepare_inverse(const PrepareContext& ctx) {
  return make_kernel([m = Matrices(ctx.inputs[0])](const RunContext& run) {
    const In<double> x(m.type, run.in[0]);
    const Out<double> y(m.type, run.out[0]);
    for (int64_t i = 0; i < m.count; ++i) {
      Rows rows(m.n, m.n);
      for (int64_t r = 0; r < m.n; ++r) {
        for (int64_t c = 0; c < m.n; ++c) rows.at(r, c) = x[(i * m.n + r) * m.n + c];
        rows.at(r, m.n + r) = 1;
      }
      bool regular = true;
      for (int64_t column = 0; regular && column < m.n; ++column) {
        rows.exchange(column);
        regular = rows.at(column, column) != 0;
        for (int64_t row = 0; regular && row < m.n; ++row)
          if (row != column) rows.eliminate(row, column);
      }
      for (int64_t r = 0; r < m.n; ++r)
        for (int64_t c = 0; c < m.n; ++c)
          y.set((i * m.n + r) * m.n + c, regular ? rows.at(r, m.n + c) / rows.at(r, r)
                                                 : std::numeric_limits<double>::quiet_NaN());
    }
  });
}

}  // namespace

constinit const KernelList linear_algebra{
    {&op::Det, "reference.det", prepare_det},
    {&op::Inverse, "reference.inverse", prepare_inverse},
};

}  // namespace tenon::reference
