#include "graph/passes/pattern.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/math/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::passes {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

const Node* Pattern::take(ValueId id, const OpDef& op) {
  if (id == kNoValue) return nullptr;
  const Node* node = r_.made_by(id, op);
  if (node) nodes_.push_back(r_.producer(id));
  return node;
}

bool Pattern::closed(ValueId result) const {
  const auto ours = [&](NodeId id) { return std::ranges::find(nodes_, id) != nodes_.end(); };
  return std::ranges::all_of(nodes_, [&](NodeId id) {
    return std::ranges::all_of(r_.node(id).outputs, [&](ValueId output) {
      return output == kNoValue || output == result ||
             (!r_.is_output(output) && std::ranges::all_of(r_.users(output), ours));
    });
  });
}

std::optional<double> scalar_beside(const Rewriter& r, ValueId id, ValueId like) {
  const Tensor* constant = r.constant(id);
  if (!constant || like == kNoValue) return std::nullopt;
  const TensorType& type = r.type(like);
  if (constant->rank() > (type.ranked ? type.dims.size() : 0)) return std::nullopt;
  return r.scalar(id);
}

std::optional<Scaled> with_scalar(const Rewriter& r, const Node& node) {
  if (node.inputs.size() != 2) return std::nullopt;
  for (size_t i : {1, 0})
    if (const auto scalar = scalar_beside(r, node.inputs[i], node.inputs[1 - i]))
      return Scaled{node.inputs[1 - i], *scalar};
  return std::nullopt;
}

ValueId other_input(const Node& node, ValueId known) {
  if (node.inputs.size() != 2) return kNoValue;
  if (node.inputs[0] == known) return node.inputs[1];
  return node.inputs[1] == known ? node.inputs[0] : kNoValue;
}

const Node* only_user(const Rewriter& r, ValueId id, NodeId* at) {
  if (!r.used_once(id)) return nullptr;
  const NodeId user = r.users(id)[0];
  if (at) *at = user;
  return &r.node(user);
}

namespace {

std::optional<std::vector<int64_t>> reduced_axes(const Rewriter& r, const Node& node) {
  const auto rank = static_cast<int64_t>(r.type(node.inputs[0]).dims.size());
  std::vector<int64_t> axes;
  if (node.inputs.size() > 1 && node.inputs[1] != kNoValue) {
    const auto given = r.ints(node.inputs[1]);
    if (!given) return std::nullopt;
    for (int64_t axis : *given) axes.push_back(axis < 0 ? axis + rank : axis);
    std::ranges::sort(axes);
  }
  if (axes.empty()) {
    if (Call{*node.op, node.attrs}.i("noop_with_empty_axes") != 0) return std::nullopt;
    axes.resize(static_cast<size_t>(rank));
    std::iota(axes.begin(), axes.end(), 0);
  }
  return axes;
}

}  // namespace

std::optional<Reduced> reduced_by(const Rewriter& r, Pattern& pattern, ValueId id,
                                  const OpDef& op) {
  if (id == kNoValue) return std::nullopt;
  // What puts the axes back.
  const Node* restored = r.made_by(id, op::Reshape);
  if (!restored) restored = r.made_by(id, op::Unsqueeze);
  const ValueId reduced = restored ? restored->inputs[0] : id;
  const Node* node = r.made_by(reduced, op);
  if (!node || !r.type(node->inputs[0]).ranked) return std::nullopt;
  const bool keeps = Call{op, node->attrs}.i("keepdims") != 0;
  const auto axes = reduced_axes(r, *node);
  if (!axes || keeps == (restored != nullptr)) return std::nullopt;
  if (restored) {
    Dims kept = r.type(node->inputs[0]).dims;
    for (const int64_t axis : *axes) kept[static_cast<size_t>(axis)] = 1;
    if (!r.type(id).ranked || r.type(id).dims != kept) return std::nullopt;
    pattern.take(r.producer(id));
  }
  pattern.take(r.producer(reduced));
  return Reduced{node->inputs[0], *axes};
}

std::optional<size_t> trailing_from(std::span<const int64_t> axes, const Dims& dims) {
  const auto reduced = [&](size_t axis) {
    return std::ranges::find(axes, static_cast<int64_t>(axis)) != axes.end();
  };
  std::optional<size_t> first;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (dims[axis] == Dim(1)) continue;
    if (reduced(axis) && !first) first = axis;
    if (!reduced(axis) && first) return std::nullopt;
  }
  return first;
}

bool same_type(const Rewriter& r, ValueId a, ValueId b) {
  const TensorType &x = r.type(a), &y = r.type(b);
  return x.ranked && y.ranked && x.dtype == y.dtype && x.dims == y.dims;
}

bool is_computed(const Rewriter& r, ValueId id) {
  return (kFloats - types(DType::f64)).has(r.type(id).dtype);
}

double tolerance_of(DType type) { return type == DType::f32 ? 1e-4 : 4e-3; }

bool is_close(double value, double wanted, double tolerance) {
  return std::abs(value - wanted) <= tolerance * std::abs(wanted);
}

ValueId widened_from(const Rewriter& r, ValueId id) {
  const Node* cast = id == kNoValue ? nullptr : r.made_by(id, op::Cast);
  if (!cast || r.type(id).dtype != DType::f32) return kNoValue;
  const DType from = r.type(cast->inputs[0]).dtype;
  return from == DType::f16 || from == DType::bf16 ? cast->inputs[0] : kNoValue;
}

namespace {

// A row's shape, axes from `axis` on.
Dims row_of(const Rewriter& r, ValueId x, size_t axis) {
  const Dims& dims = r.type(x).dims;
  return {dims.begin() + static_cast<std::ptrdiff_t>(axis), dims.end()};
}

bool fits_without_leading_ones(const Dims& dims, const Dims& row, size_t rank) {
  if (dims.size() < row.size() || dims.size() > rank) return false;
  const auto lead = static_cast<std::ptrdiff_t>(dims.size() - row.size());
  return std::all_of(dims.begin(), dims.begin() + lead, [](const Dim& d) { return d == Dim(1); }) &&
         std::equal(dims.begin() + lead, dims.end(), row.begin());
}

}  // namespace

bool is_row_vector(const Rewriter& r, ValueId id, ValueId x, size_t axis) {
  if (id == kNoValue || !r.type(id).ranked || !r.type(x).ranked) return false;
  const Dims& dims = r.type(id).dims;
  const Dims row = row_of(r, x, axis);
  if (dims == row) return true;
  if (!r.constant(id)) return false;
  return fits_without_leading_ones(dims, row, r.type(x).dims.size()) ||
         (is_static(row) && scalar_beside(r, id, x));
}

ValueId row_vector(Rewriter& r, ValueId id, ValueId x, size_t axis) {
  if (!is_row_vector(r, id, x, axis)) return kNoValue;
  const Dims row = row_of(r, x, axis);
  if (r.type(id).dims == row) return id;
  const Shape shape = *to_shape(row);  // the constant's own sizes, so known
  const Tensor values = *r.constant(id);
  if (values.numel() == shape.numel()) return r.constant(values.reshape(shape));
  return r.constant(Tensor::full(shape, *r.scalar(id), values.dtype()));
}

ValueId row_of_ones(Rewriter& r, ValueId x, size_t axis) {
  const auto shape = to_shape(row_of(r, x, axis));
  return shape ? r.constant(Tensor::ones(*shape, r.type(x).dtype)) : kNoValue;
}

}  // namespace tenon::passes
