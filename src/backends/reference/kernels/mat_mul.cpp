// Matrix products: three loops over any layout.
#include "backends/reference/arithmetic.h"
#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/math/catalog.h"

namespace tenon::reference {

namespace {

// Where element (row, column) of one matrix lies.
struct Matrix {
  int64_t offset, row, column;
  int64_t operator()(int64_t i, int64_t j) const { return offset + i * row + j * column; }
};

// Sum over k of a(i, k) * b(k, j).
template <class Wide>
Wide dot(const In<Wide>& x, const Matrix& a, const In<Wide>& y, const Matrix& b, int64_t i,
         int64_t j, int64_t inner) {
  Wide sum{0};
  for (int64_t k = 0; k < inner; ++k) sum = add(sum, multiply(x[a(i, k)], y[b(k, j)]));
  return sum;
}

// A vector as a row (left) or as a column (right).
Shape as_matrix(Shape shape, bool left) {
  if (shape.rank() == 1) shape.insert(left ? 0 : 1, 1);
  return shape;
}

// The strides of the leading axes, aligned to `batch`.
Shape batch_strides(const Shape& shape, const Shape& batch) {
  Shape lead = shape;
  lead.erase(lead.rank() - 1);
  lead.erase(lead.rank() - 1);
  Shape strides = broadcast_strides(lead, batch);
  const int64_t matrix = shape[shape.rank() - 2] * shape.back();
  for (int64_t& stride : strides) stride *= matrix;
  return strides;
}

Prepared mat_mul_of(const PrepareContext& ctx) {
  const DType type = ctx.inputs[0].dtype;
  const Shape a = as_matrix(ctx.inputs[0].shape, true), b = as_matrix(ctx.inputs[1].shape, false);
  const int64_t rows = a[a.rank() - 2], inner = a.back(), columns = b.back();
  Shape batch = ctx.outputs[0].shape;
  for (size_t i = 0; i < 2; ++i)
    if (ctx.inputs[i].rank() > 1) batch.erase(batch.rank() - 1);
  const std::array strides{batch_strides(a, batch), batch_strides(b, batch)};
  return with_wide(type, [&]<class Wide>() -> Prepared {
    return make_kernel([=](const RunContext& run) {
      const In<Wide> x(type, run.in[0]), y(type, run.in[1]);
      const Out<Wide> z(type, run.out[0]);
      for_each_broadcast(batch, strides, [&](int64_t at, const auto& offsets) {
        const Matrix left{offsets[0], inner, 1}, right{offsets[1], columns, 1};
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < columns; ++j)
            z.set((at * rows + i) * columns + j, dot(x, left, y, right, i, j, inner));
      });
    });
  });
}

Prepared gemm(const PrepareContext& ctx) {
  const DType type = ctx.inputs[0].dtype;
  const bool trans_a = ctx.i("transA") != 0, trans_b = ctx.i("transB") != 0;
  const Shape a = ctx.inputs[0].shape, b = ctx.inputs[1].shape, shape = ctx.outputs[0].shape;
  const Matrix left = trans_a ? Matrix{0, 1, a[1]} : Matrix{0, a[1], 1};
  const Matrix right = trans_b ? Matrix{0, 1, b[1]} : Matrix{0, b[1], 1};
  const int64_t inner = a[trans_a ? 0 : 1];
  const bool biased = ctx.has_input(2);
  const Shape c = biased ? broadcast_strides(ctx.inputs[2].shape, shape) : Shape{0, 0};
  const double alpha = ctx.f("alpha"), beta = ctx.f("beta");
  return with_wide(type, [&]<class Wide>() -> Prepared {
    return make_kernel([=](const RunContext& run) {
      const In<Wide> x(type, run.in[0]), y(type, run.in[1]);
      const Out<Wide> z(type, run.out[0]);
      // With integers, both are whole numbers.
      const auto scale_a = static_cast<Wide>(alpha), scale_c = static_cast<Wide>(beta);
      for_each_index(shape, [&](const Shape& at, int64_t i) {
        Wide sum = multiply(scale_a, dot(x, left, y, right, at[0], at[1], inner));
        if (biased) sum = add(sum, multiply(scale_c, In<Wide>(type, run.in[2])[offset_of(at, c)]));
        z.set(i, sum);
      });
    });
  });
}

}  // namespace

constinit const KernelList mat_mul{
    {&op::MatMul, "reference.mat_mul", mat_mul_of},
    {&op::Gemm, "reference.gemm", gemm},
};

}  // namespace tenon::reference
