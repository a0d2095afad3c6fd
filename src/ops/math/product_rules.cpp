// Validation and sizes of matrix products.
#include "ops/math/product_rules.h"

namespace tenon::product_rules {

namespace {

Dims batch_of(const Dims& dims) {
  return dims.size() <= 2 ? Dims() : Dims(dims.begin(), dims.end() - 2);
}

Shape as_matrix(Shape shape, bool left) {
  if (shape.rank() == 1) shape.insert(left ? 0 : 1, 1);
  return shape;
}

// Strides of the leading axes of `matrix`, aligned to `batch`.
Shape batch_strides(const Shape& matrix, const Shape& batch) {
  Shape strides(batch.rank(), 0);
  const size_t lead = batch.rank() + 2 - matrix.rank();
  int64_t stride = matrix[matrix.rank() - 2] * matrix.back();
  for (size_t i = matrix.rank() - 2; i-- > 0;) {
    if (matrix[i] != 1) strides[lead + i] = stride;
    stride *= matrix[i];
  }
  return strides;
}

}  // namespace

Dims output(const InferContext& ctx, size_t a_at, size_t b_at) {
  const Dims &a = ctx.dims(a_at), &b = ctx.dims(b_at);
  const std::string_view a_name = ctx.op.inputs[a_at].name, b_name = ctx.op.inputs[b_at].name;
  for (size_t i : {a_at, b_at})
    ctx.check(ctx.rank(i) > 0, "{} is {}; it needs one axis or more; multiply by a scalar with Mul",
              ctx.op.inputs[i].name, ctx.str(i));
  const Dim& left = a.back();
  const Dim& right = b.size() == 1 ? b[0] : b[b.size() - 2];
  ctx.check(left == right || !left.is_const() || !right.is_const(),
            "{0} is {2} and {1} is {3}; the last axis of {0}, {4}, must be as long as the {5} of "
            "{1}, {6}",
            a_name, b_name, ctx.str(a_at), ctx.str(b_at), left.str(),
            b.size() == 1 ? "axis" : "last axis but one", right.str());
  Dims dims;
  try {
    dims = broadcast(batch_of(a), batch_of(b));
  } catch (const Error&) {
    ctx.fail(
        "the leading axes of {}, {}, and {}, {}, cannot be broadcast together; sizes must be equal "
        "or 1",
        a_name, ctx.str(a_at), b_name, ctx.str(b_at));
  }
  if (a.size() > 1) dims.push_back(a[a.size() - 2]);
  if (b.size() > 1) dims.push_back(b.back());
  return dims;
}

Sizes sizes_of(const Shape& a_given, const Shape& b_given) {
  const Shape a = as_matrix(a_given, true), b = as_matrix(b_given, false);
  Sizes sizes;
  sizes.rows = a[a.rank() - 2];
  sizes.inner = a.back();
  sizes.columns = b.back();
  const size_t rank = std::max(a.rank(), b.rank()) - 2;
  sizes.batch = Shape(rank, 1);
  const auto widen = [&](const Shape& shape) {
    const size_t lead = rank + 2 - shape.rank();
    for (size_t i = 0; i + 2 < shape.rank(); ++i)
      if (shape[i] != 1) sizes.batch[lead + i] = shape[i];
  };
  widen(a);
  widen(b);
  sizes.a_strides = batch_strides(a, sizes.batch);
  sizes.b_strides = batch_strides(b, sizes.batch);
  return sizes;
}

double flops(const Dims& a, const Dims& b) {
  const Dim rows = a.size() == 1 ? Dim(1) : a[a.size() - 2];
  const Dim columns = b.size() == 1 ? Dim(1) : b.back();
  const Dim steps = product(broadcast(batch_of(a), batch_of(b))) * rows * a.back() * columns;
  return steps.is_const() ? 2.0 * static_cast<double>(steps.value()) : 0;
}

}  // namespace tenon::product_rules
