#include "graph/facts.h"

#include <algorithm>
#include <numeric>

#include "ops/shape/catalog.h"

namespace tenon::graph {

namespace {

constexpr int64_t kMaxUniform = 4096;

}  // namespace

bool same_shape(const Rewriter& r, ValueId a, ValueId b) {
  return r.type(a).ranked && r.type(b).ranked && r.type(a).dims == r.type(b).dims;
}

std::optional<double> uniform(const Rewriter& r, ValueId id) {
  const Tensor* tensor = r.constant(id);
  if (!tensor || !(kNumeric | kBool).has(tensor->dtype())) return std::nullopt;
  if (tensor->numel() < 1 || tensor->numel() > kMaxUniform) return std::nullopt;
  const std::vector<double> values = tensor->to_vector<double>();
  for (const double value : values)
    if (value != values[0]) return std::nullopt;  // NaN is not uniform
  return values[0];
}

ValueId input_of(const Node& node, size_t i) {
  return i < node.inputs.size() ? node.inputs[i] : kNoValue;
}

Call call_of(const Node& node) { return {*node.op, node.attrs}; }

std::optional<std::vector<int64_t>> reshape_target(const Dims& from, const Dims& to) {
  std::vector<int64_t> target;
  bool rest_taken = false;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i].is_const()) {
      if (to[i].value() == 0) return std::nullopt;  // 0 would copy
      target.push_back(to[i].value());
    } else if (i < from.size() && to[i] == from[i]) {
      target.push_back(0);
    } else if (!rest_taken) {
      rest_taken = true;
      target.push_back(-1);
    } else {
      return std::nullopt;
    }
  }
  return target;
}

std::optional<ValueId> reshaped(Rewriter& r, ValueId x, const Dims& to) {
  if (!r.type(x).ranked) return std::nullopt;
  if (r.type(x).dims == to) return x;
  const auto target = reshape_target(r.type(x).dims, to);
  if (!target) return std::nullopt;
  const ValueId shape = r.constant(Tensor::ints(*target));
  return r.add(op::Reshape, {x, shape});
}

Order order_of(const Node& transpose, size_t rank) {
  const auto given = call_of(transpose).ints("perm");
  if (!given.empty() || rank == 0) return {given.begin(), given.end()};
  Order order(rank);
  for (size_t i = 0; i < rank; ++i) order[i] = static_cast<int64_t>(rank - 1 - i);
  return order;
}

Order inverse(const Order& order) {
  Order back(order.size());
  for (size_t i = 0; i < order.size(); ++i)
    back[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  return back;
}

Order compose(const Order& first, const Order& second) {
  Order both;
  for (const int64_t axis : second) both.push_back(first[static_cast<size_t>(axis)]);
  return both;
}

bool is_identity(const Order& order) {
  for (size_t i = 0; i < order.size(); ++i)
    if (order[i] != static_cast<int64_t>(i)) return false;
  return true;
}

bool keeps_elements_in_place(const Dims& dims, const Order& order) {
  int64_t last = -1;
  for (const int64_t axis : order) {
    if (dims[static_cast<size_t>(axis)] == Dim(1)) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

Dims reordered(const Dims& dims, const Order& order) {
  Dims out;
  for (const int64_t axis : order) out.push_back(dims[static_cast<size_t>(axis)]);
  return out;
}

}  // namespace tenon::graph
