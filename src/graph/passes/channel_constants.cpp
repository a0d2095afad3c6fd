#include "graph/passes/channel_constants.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "runtime/dispatch.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

bool all_finite(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double value) { return std::isfinite(value); });
}

std::optional<ChannelAffine> of_batch_norm(const Rewriter& r, const Node& node, int64_t channels) {
  const Call call{*node.op, node.attrs};
  if (call.i("training_mode") != 0 || node.outputs.size() != 1) return std::nullopt;
  std::vector<double> numbers[4];  // scale, B, mean, variance
  for (size_t i = 0; i < 4; ++i) {
    const Tensor* constant = r.constant(node.inputs[i + 1]);
    if (!constant || constant->shape() != Shape{channels}) return std::nullopt;
    numbers[i] = constant->to_vector<double>();
  }
  const double epsilon = call.f("epsilon");
  ChannelAffine affine(static_cast<size_t>(channels));
  for (size_t c = 0; c < affine.scale.size(); ++c) {
    affine.scale[c] = numbers[0][c] / std::sqrt(numbers[3][c] + epsilon);
    affine.shift[c] = numbers[1][c] - numbers[2][c] * affine.scale[c];
  }
  return affine;
}

std::optional<ChannelAffine> of_arithmetic(const Rewriter& r, const Node& node, ValueId x,
                                           size_t rank, int64_t channels) {
  const bool first = node.inputs[0] == x;
  const auto given = per_channel(r, node.inputs[first ? 1 : 0], rank, channels);
  if (!given) return std::nullopt;
  ChannelAffine affine(static_cast<size_t>(channels));
  for (size_t c = 0; c < given->size(); ++c) {
    const double number = (*given)[c];
    if (node.op == &op::Add) affine.shift[c] = number;
    if (node.op == &op::Mul) affine.scale[c] = number;
    if (node.op == &op::Div) affine.scale[c] = 1 / number;
    if (node.op == &op::Sub) {
      affine.scale[c] = first ? 1 : -1;
      affine.shift[c] = first ? -number : number;
    }
  }
  return affine;
}

bool is_arithmetic(const OpDef* op) {
  return op == &op::Add || op == &op::Sub || op == &op::Mul || op == &op::Div;
}

}  // namespace

bool ChannelAffine::scales() const {
  return std::ranges::any_of(scale, [](double value) { return value != 1; });
}

bool ChannelAffine::shifts() const {
  return std::ranges::any_of(shift, [](double value) { return value != 0; });
}

void ChannelAffine::append(const ChannelAffine& next) {
  for (size_t c = 0; c < scale.size(); ++c) {
    scale[c] *= next.scale[c];
    shift[c] = next.scale[c] * shift[c] + next.shift[c];
  }
}

std::optional<std::vector<double>> per_channel(const Rewriter& r, ValueId id, size_t rank,
                                               int64_t channels) {
  const Tensor* constant = r.constant(id);
  if (!constant || !kFloats.has(constant->dtype()) || constant->rank() > rank) return std::nullopt;
  const Shape& shape = constant->shape();
  for (size_t axis = 0; axis < shape.rank(); ++axis)
    if (shape[axis] != 1 && axis + rank - shape.rank() != 1) return std::nullopt;
  if (constant->numel() != 1 && constant->numel() != channels) return std::nullopt;
  std::vector<double> values = constant->to_vector<double>();
  values.resize(static_cast<size_t>(channels), values[0]);
  return values;
}

ValueId affine_input(const Rewriter& r, NodeId n) {
  const Node& node = r.node(n);
  if (node.op == &op::BatchNormalization) return node.inputs[0];
  if (!is_arithmetic(node.op)) return kNoValue;
  if (r.constant(node.inputs[1])) return node.inputs[0];
  // A constant divided by x is no such function.
  return r.constant(node.inputs[0]) && node.op != &op::Div ? node.inputs[1] : kNoValue;
}

std::optional<ChannelAffine> channel_affine(const Rewriter& r, NodeId n, ValueId x, size_t rank,
                                            int64_t channels) {
  if (channels < 1 || affine_input(r, n) != x) return std::nullopt;
  const Node& node = r.node(n);
  auto affine = node.op == &op::BatchNormalization ? of_batch_norm(r, node, channels)
                                                   : of_arithmetic(r, node, x, rank, channels);
  if (!affine || !all_finite(affine->scale) || !all_finite(affine->shift)) return std::nullopt;
  return affine;
}

std::optional<Tensor> rounded(const std::vector<double>& values, const Shape& shape, DType type) {
  const double most = type == DType::f16   ? 65504.0
                      : type == DType::f64 ? std::numeric_limits<double>::max()
                                           : double{std::numeric_limits<float>::max()};
  for (double value : values)
    if (!(std::abs(value) <= most)) return std::nullopt;
  const NoGrad no_grad;
  return Tensor::from<double>(values, shape).to(type);
}

}  // namespace tenon::passes
