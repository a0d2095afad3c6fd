// GroupNormalization as exporters without it write it: the groups become channels of an
// InstanceNormalization without scale and bias, which follow on the channels.
#include <algorithm>

#include "graph/passes/catalog.h"
#include "graph/passes/pattern.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

bool all_are(const Rewriter& r, ValueId id, double value) {
  const Tensor* constant = r.constant(id);
  if (!constant) return false;
  const auto values = constant->to_vector<double>();
  return std::ranges::all_of(values, [&](double v) { return v == value; });
}

// [C] where the value is a constant [C, 1, ...] that scales or shifts the channels of x, with or
// without a leading 1; absent where it is not.
ValueId channel_vector(Rewriter& r, ValueId id, ValueId x) {
  const Tensor* constant = r.constant(id);
  if (!constant) return kNoValue;
  const Dims& dims = r.type(x).dims;
  const size_t rank = constant->rank();
  if (rank > dims.size() || rank + 1 < dims.size() || !dims[1].is_const()) return kNoValue;
  const size_t channel = rank - (dims.size() - 1);  // 0 or 1
  for (size_t i = 0; i < rank; ++i)
    if (constant->shape()[i] != (i == channel ? dims[1].value() : 1)) return kNoValue;
  return r.constant(constant->reshape({dims[1].value()}));
}

// The number the vector's elements have where there is no scale or bias.
ValueId vector_of(Rewriter& r, ValueId x, double value) {
  return r.constant(Tensor::full({r.type(x).dims[1].value()}, value, r.type(x).dtype));
}

void fuse(Rewriter& r, NodeId n) {
  const Node& norm = r.node(n);
  if (!all_are(r, norm.inputs[1], 1) || !all_are(r, norm.inputs[2], 0)) return;
  const double epsilon = Call{op::InstanceNormalization, norm.attrs}.f("epsilon");
  Pattern pattern(r);
  pattern.take(n);
  const Node* apart = pattern.take(norm.inputs[0], op::Reshape);
  NodeId at = -1;
  const Node* together = only_user(r, norm.outputs[0], &at);
  if (!apart || !together || together->op != &op::Reshape || together->inputs[0] != norm.outputs[0])
    return;
  pattern.take(at);
  const ValueId x = apart->inputs[0];
  ValueId y = together->outputs[0];
  const Dims& grouped = r.type(norm.inputs[0]).dims;
  if (!same_type(r, x, y) || !is_computed(r, x)) return;
  const Dims& dims = r.type(x).dims;
  if (dims.size() < 3 || !dims[1].is_const() || !grouped[1].is_const() || !(grouped[0] == dims[0]))
    return;
  const int64_t groups = grouped[1].value();
  if (groups < 1 || dims[1].value() % groups != 0 || !pattern.closed(y)) return;

  ValueId scale = kNoValue, bias = kNoValue;
  if (const Node* times = only_user(r, y, nullptr); times && times->op == &op::Mul) {
    const ValueId whole = times->outputs[0];
    scale = channel_vector(r, other_input(*times, y), x);
    if (scale != kNoValue) y = whole;
  }
  if (const Node* plus = only_user(r, y, nullptr); plus && plus->op == &op::Add) {
    const ValueId whole = plus->outputs[0];
    bias = channel_vector(r, other_input(*plus, y), x);
    if (bias != kNoValue) y = whole;
  }
  if (scale == kNoValue) scale = vector_of(r, x, 1);
  if (bias == kNoValue) bias = vector_of(r, x, 0);
  r.at(r.producer(y));
  r.replace(y, r.add(op::GroupNormalization, {x, scale, bias},
                     {{"num_groups", groups}, {"epsilon", epsilon}}));
}

void run(Rewriter& r) {
  for (NodeId n : r.nodes())
    if (r.alive(n) && r.node(n).op == &op::InstanceNormalization) fuse(r, n);
}

}  // namespace

constinit const Pass fuse_group_norm{
    "fuse_group_norm",
    "Reshape, InstanceNormalization, Reshape, Mul, Add become one GroupNormalization.", run};

}  // namespace tenon::passes
