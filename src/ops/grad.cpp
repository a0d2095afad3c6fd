// The phrases that gradients and expansions are written in.
#include "ops/grad.h"

#include <algorithm>

#include "ops/math/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon {

namespace {

// In a Reshape's target a 0 copies a size unless allowzero is set.
bool may_be_empty(const Dims& dims) {
  return std::ranges::any_of(dims,
                             [](const Dim& dim) { return !dim.is_const() || dim.value() == 0; });
}

}  // namespace

const Tensor& GradContext::input(size_t i) const {
  static const Tensor absent;
  if (!has_input(i)) return absent;
  TENON_BUG_IF(!inputs_[i].defined(), "the gradient of {} reads input {}, which it does not save",
               op.name, i);
  return inputs_[i];
}

const Tensor& GradContext::output(size_t i) const {
  TENON_BUG_IF(i >= outputs_.size() || !outputs_[i].defined(),
               "the gradient of {} reads output {}, which it does not save", op.name, i);
  return outputs_[i];
}

Tensor GradContext::grad(size_t i) const {
  if (has_grad(i)) return grads_[i];
  // Some output has a gradient, else nobody would ask: it lends its device and graph.
  for (const Tensor& known : grads_)
    if (known.defined()) return full(output_types_[i].dims, 0, output_types_[i].dtype, known);
  fail_bug(__FILE__, __LINE__, fmt::format("the gradient of {} is asked for without any", op.name));
}

Tensor GradContext::shape_of(size_t i) const {
  if (const auto shape = to_shape(dims(i))) return Tensor::ints(std::span<const int64_t>(*shape));
  if (inputs_[i].defined()) return op::Shape(inputs_[i]);
  return shape_tensor(dims(i), grad());
}

Tensor GradContext::reshape(const Tensor& x, size_t i) const {
  return op::Reshape(x, shape_of(i), may_be_empty(dims(i)) ? Attrs{{"allowzero", 1}} : Attrs());
}

std::vector<int64_t> GradContext::ints_of(size_t i) const {
  const Tensor& tensor = input(i);
  TENON_CHECK(
      !tensor.is_symbolic(), unsupported,
      "the gradient of {} needs the elements of {}, which the graph computes; make it a constant",
      op.name, op.inputs[i].name);
  return tensor.to_vector<int64_t>();
}

Tensor constant_like(const Tensor& x, double value) { return Tensor::scalar(value, x.dtype()); }

Tensor shape_tensor(const Dims& dims, const Tensor& like) {
  if (auto shape = to_shape(dims)) return Tensor::ints(std::span<const int64_t>(*shape));
  // Each symbolic size must be a size of `like`: nothing else is at hand at run time.
  const Dims source = like.dims();
  const Tensor all = op::Shape(like);
  TensorList parts;
  for (const Dim& dim : dims) {
    if (dim.is_const()) {
      parts.push_back(Tensor::ints({dim.value()}));
      continue;
    }
    size_t at = 0;
    while (at < source.size() && !(source[at] == dim)) ++at;
    TENON_CHECK(at < source.size(), unsupported,
                "size {} of shape {} cannot be computed from {}; give the axis a fixed size",
                dim.str(), str(dims), str(source));
    parts.push_back(op::Gather(all, Tensor::ints({static_cast<int64_t>(at)}), {{"axis", 0}}));
  }
  return op::Concat.all(parts, {{"axis", 0}})[0];
}

Tensor full(const Dims& dims, double value, DType type, const Tensor& like) {
  if (auto shape = to_shape(dims)) return Tensor::full(*shape, value, type);
  return op::Expand(Tensor::scalar(value, type), shape_tensor(dims, like));
}

Tensor reshape_to(const Tensor& x, const Dims& dims, const Tensor& like) {
  return op::Reshape(x, shape_tensor(dims, like),
                     may_be_empty(dims) ? Attrs{{"allowzero", 1}} : Attrs());
}

Tensor sum_to(const Tensor& grad, const Dims& dims) {
  const Dims from = grad.dims();
  const size_t lead = from.size() - dims.size();
  std::vector<int64_t> axes;
  for (size_t i = 0; i < from.size(); ++i) {
    const bool added = i < lead;
    const bool stretched = !added && !(dims[i - lead] == from[i]) && dims[i - lead] == Dim(1);
    if (added || stretched) axes.push_back(static_cast<int64_t>(i));
  }
  if (axes.empty()) return grad;
  Tensor sum = op::ReduceSum(grad, Tensor::ints(axes), {{"keepdims", 1}});
  if (lead == 0) return sum;
  std::vector<int64_t> added(axes.begin(), axes.begin() + static_cast<std::ptrdiff_t>(lead));
  return op::Squeeze(sum, Tensor::ints(added));
}

}  // namespace tenon
