// The everyday operators of Tensor, and its arithmetic.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"
#include "tensor/tensor.h"

namespace tenon {

namespace {

Tensor reduce(const OpDef& op, const Tensor& x, const Shape& axes, bool keepdims) {
  const Attrs attrs{{"keepdims", keepdims}};
  if (axes.empty()) return op(x, attrs);
  return op(x, Tensor::ints(std::span<const int64_t>(axes)), attrs);
}

}  // namespace

Tensor Tensor::to(DType type) const {
  if (type == dtype()) return *this;
  return op::Cast(*this, {{"to", static_cast<int64_t>(type)}});
}
Tensor Tensor::sum(const Shape& axes, bool keepdims) const {
  return reduce(op::ReduceSum, *this, axes, keepdims);
}
Tensor Tensor::mean(const Shape& axes, bool keepdims) const {
  return reduce(op::ReduceMean, *this, axes, keepdims);
}
Tensor Tensor::view(const Shape& shape) const {
  return op::Reshape(*this, Tensor::ints(std::span<const int64_t>(shape)));
}
Tensor Tensor::t() const {
  const size_t r = rank();
  TENON_CHECK(r >= 2, usage, "t: the tensor has rank {}; it takes rank 2 or more", r);
  std::vector<int64_t> order(r);
  for (size_t i = 0; i < r; ++i) order[i] = static_cast<int64_t>(i);
  std::swap(order[r - 1], order[r - 2]);
  return op::Transpose(*this, {{"perm", AttrValue(order)}});
}

Tensor operator+(const Tensor& a, const Tensor& b) { return op::Add(a, b); }
Tensor operator-(const Tensor& a, const Tensor& b) { return op::Sub(a, b); }
Tensor operator*(const Tensor& a, const Tensor& b) { return op::Mul(a, b); }
Tensor operator/(const Tensor& a, const Tensor& b) { return op::Div(a, b); }
Tensor operator-(const Tensor& a) { return op::Neg(a); }
Tensor operator+(const Tensor& a, double b) { return op::Add(a, constant_like(a, b)); }
Tensor operator-(const Tensor& a, double b) { return op::Sub(a, constant_like(a, b)); }
Tensor operator*(const Tensor& a, double b) { return op::Mul(a, constant_like(a, b)); }
Tensor operator/(const Tensor& a, double b) { return op::Div(a, constant_like(a, b)); }
Tensor operator+(double a, const Tensor& b) { return op::Add(constant_like(b, a), b); }
Tensor operator-(double a, const Tensor& b) { return op::Sub(constant_like(b, a), b); }
Tensor operator*(double a, const Tensor& b) { return op::Mul(constant_like(b, a), b); }
Tensor operator/(double a, const Tensor& b) { return op::Div(constant_like(b, a), b); }

}  // namespace tenon
