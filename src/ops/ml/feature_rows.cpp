// Rows of features.
#include "ops/ml/feature_rows.h"

#include "ops/shape/catalog.h"

namespace tenon::feature_rows {

Rows of(const InferContext& ctx, size_t at) {
  const Dims& x = ctx.dims(at);
  ctx.check(x.size() == 1 || x.size() == 2,
            "{} is {}; give features as [rows, features] or [features]",
            ctx.op.inputs[std::min(at, ctx.op.inputs.size() - 1)].name, ctx.str(at));
  return x.size() == 1 ? Rows{1, x[0]} : Rows{x[0], x[1]};
}

Sizes of(const Shape& shape) {
  if (shape.rank() == 1) return {1, shape[0]};
  return {shape[0], shape[1]};
}

Tensor as_matrix(const Tensor& x) {
  return x.rank() == 1 ? op::Unsqueeze(x, Tensor::ints({0})) : x;
}

Tensor as_f32(const Tensor& x) { return x.to(DType::f32); }

Tensor constant(std::span<const double> values, const Shape& shape, DType type) {
  const Tensor exact = Tensor::from<double>(values, shape);
  if (type == DType::f64) return exact;
  Tensor converted = Tensor::empty(shape, type);
  converted.copy_from(exact);
  return converted;
}

}  // namespace tenon::feature_rows
