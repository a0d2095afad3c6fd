// The phrases of the QLinear operators.
#include "ops/microsoft/quantized_rules.h"

#include "ops/math/catalog.h"
#include "ops/quant/catalog.h"
#include "ops/quant/integer_rules.h"
#include "ops/shape/catalog.h"

namespace tenon::microsoft {

namespace {

Tensor absent_zero(DType type) { return Tensor::scalar(0, type); }

}  // namespace

Tensor scalar_of(const Tensor& single) {
  return single.rank() == 0 ? single : op::Reshape(single, Tensor::ints({}));
}

Tensor zero_point_of(const Tensor& zero_point) {
  return zero_point.defined() ? scalar_of(zero_point).to(DType::f32) : Tensor::scalar(0);
}

Tensor dequantized(const Tensor& x, const Tensor& scale, const Tensor& zero_point) {
  return op::DequantizeLinear(
      x, scalar_of(scale), zero_point.defined() ? scalar_of(zero_point) : absent_zero(x.dtype()));
}

Tensor quantized(const Tensor& y, const Tensor& scale, const Tensor& zero_point, DType type) {
  return op::QuantizeLinear(y, scalar_of(scale),
                            zero_point.defined() ? scalar_of(zero_point) : absent_zero(type));
}

Tensor rounded(const Tensor& y, const Tensor& zero_point, DType type) {
  return quantized(y, Tensor::scalar(1), zero_point, type);
}

void check_singles(const InferContext& ctx, std::initializer_list<size_t> inputs) {
  for (size_t at : inputs) integer_rules::check_single(ctx, at);
}

Dims channels_second(const Dims& dims) {
  Dims moved{dims[0], dims.back()};
  moved.insert(moved.end(), dims.begin() + 1, dims.end() - 1);
  return moved;
}

Dims channels_last(const Dims& dims) {
  Dims moved{dims[0]};
  moved.insert(moved.end(), dims.begin() + 2, dims.end());
  moved.push_back(dims[1]);
  return moved;
}

Tensor channels_second(const Tensor& x) {
  const auto rank = static_cast<int64_t>(x.rank());
  Shape order{0, rank - 1};
  for (int64_t axis = 1; axis + 1 < rank; ++axis) order.push_back(axis);
  return op::Transpose(x, {{"perm", order}});
}

Tensor channels_last(const Tensor& x) {
  const auto rank = static_cast<int64_t>(x.rank());
  Shape order{0};
  for (int64_t axis = 2; axis < rank; ++axis) order.push_back(axis);
  order.push_back(1);
  return op::Transpose(x, {{"perm", order}});
}

}  // namespace tenon::microsoft
