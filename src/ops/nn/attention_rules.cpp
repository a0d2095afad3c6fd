// Phrases of attention.
#include "ops/nn/attention_rules.h"

#include <limits>

#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::attention_rules {

namespace {

// -1 lets Reshape find a size out, which it cannot in an empty tensor: sizes that are known are
// given.
int64_t known_or(const Dim& dim, int64_t otherwise) {
  return dim.is_const() ? dim.value() : otherwise;
}

}  // namespace

Tensor split_heads(const Tensor& x, int64_t heads) {
  const Dim width = x.dims()[2];
  const int64_t size = width.is_const() ? width.value() / heads : -1;
  return op::Transpose(x.view({0, 0, heads, size}), {{"perm", {0, 2, 1, 3}}});
}

Tensor merge_heads(const Tensor& x) {
  const Tensor rows = op::Transpose(x, {{"perm", {0, 2, 1, 3}}});
  return rows.view({0, 0, known_or(x.dims()[1] * x.dims()[3], -1)});
}

Tensor repeat_heads(const Tensor& x, int64_t times) {
  if (times == 1) return x;
  const Dims dims = x.dims();
  const Tensor each =
      op::Expand(op::Unsqueeze(x, Tensor::ints({2})), Tensor::ints({1, 1, times, 1, 1}));
  const int64_t heads = fixed_size(x, 1, "attention") * times;
  const int64_t length = known_or(dims[2], -1);
  // At most one size is found out by Reshape.
  const int64_t size = length >= 0 ? known_or(dims[3], -1) : fixed_size(x, 3, "attention");
  return each.view({0, heads, length, size});
}

Tensor append(const Tensor& past, const Tensor& now) {
  return past.defined() ? op::Concat.all({past, now}, {{"axis", 2}})[0] : now;
}

Tensor size_of(const Tensor& x, size_t axis) {
  const Dim size = x.dims()[axis];
  if (size.is_const()) return Tensor::from<int64_t>({size.value()}, {});
  return op::Gather(op::Shape(x), Tensor::from<int64_t>({static_cast<int64_t>(axis)}, {}),
                    {{"axis", 0}});
}

Tensor positions(const Tensor& x, size_t axis) {
  const Dim size = x.dims()[axis];
  if (size.is_const()) return Tensor::arange(size.value());
  return op::Range(Tensor::from<int64_t>({0}, {}), size_of(x, axis),
                   Tensor::from<int64_t>({1}, {}));
}

Tensor mask_out(const Tensor& x, const Tensor& allowed) {
  return op::Where(allowed, x, constant_like(x, -std::numeric_limits<double>::infinity()));
}

Tensor softmax_or_zero(const Tensor& x) {
  const Tensor zero = constant_like(x, 0);
  const Tensor nothing = op::Equal(op::ReduceMax(x, Tensor::ints({-1}), {{"keepdims", 1}}),
                                   constant_like(x, -std::numeric_limits<double>::infinity()));
  return op::Where(nothing, zero, op::Softmax(op::Where(nothing, zero, x)));
}

int64_t fixed_size(const Tensor& x, size_t axis, std::string_view where) {
  const Dim size = x.dims()[axis];
  TENON_CHECK(size.is_const(), unsupported,
              "{}: axis {} of shape {} must have a fixed size to write this out; fix it", where,
              axis, str(x.dims()));
  return size.value();
}

Tensor sum_of(std::initializer_list<Tensor> terms) {
  Tensor sum;
  for (const Tensor& term : terms)
    if (term.defined()) sum = sum.defined() ? sum + term : term;
  return sum;
}

}  // namespace tenon::attention_rules
