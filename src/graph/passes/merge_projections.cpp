// Small products of one value with several constant matrices become one product and a Split.
#include <algorithm>

#include "graph/passes/catalog.h"
#include "ops/fused/catalog.h"
#include "ops/math/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/dispatch.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

// Splitting copies the result; a call that is saved costs about as much as copying so many floats.
// Larger products gain nothing: each is as quick as the merged one.
constexpr int64_t kMostElements = 16384;
// Columns that may be split where the number of rows is not known.
constexpr int64_t kMostColumns = 192;

bool is_product(const OpDef* op) {
  return op == &op::MatMul || op == &op::Gemm || op == &op::FusedLinear;
}

bool is_transposed(const Node& node) {
  const Call call{*node.op, node.attrs};
  if (node.op == &op::MatMul) return false;
  return call.i(node.op == &op::Gemm ? "transB" : "transW") != 0;
}

// The columns of a product with constant weights [k, n], and perhaps a constant bias [n]; 0 where
// the node is none.
int64_t columns_of(const Rewriter& r, const Node& node) {
  if (!is_product(node.op)) return 0;
  if (node.op == &op::Gemm && Call{*node.op, node.attrs}.i("transA") != 0) return 0;
  const Tensor* w = r.constant(node.inputs[1]);
  if (!w || w->rank() != 2 || w->numel() == 0 || !r.type(node.outputs[0]).ranked) return 0;
  const int64_t columns = w->shape()[is_transposed(node) ? 0 : 1];
  if (node.inputs.size() > 3) return 0;
  if (node.inputs.size() == 3 && node.inputs[2] != kNoValue) {
    const Tensor* b = r.constant(node.inputs[2]);
    if (!b || b->rank() != 1 || b->numel() != columns) return 0;
  }
  return columns;
}

bool has_bias(const Node& node) { return node.inputs.size() > 2 && node.inputs[2] != kNoValue; }

bool fit(const Node& a, const Node& b) {
  return a.op == b.op && a.attrs == b.attrs && a.inputs[0] == b.inputs[0] &&
         has_bias(a) == has_bias(b);
}

// Whether a result of so many columns is cheap to split.
bool is_small(const Rewriter& r, const Node& node, int64_t columns) {
  const Dims& y = r.type(node.outputs[0]).dims;
  const Dim rows = product(Dims(y.begin(), y.end() - 1));
  if (!rows.is_const()) return columns <= kMostColumns;
  return rows.value() * columns <= kMostElements;
}

Tensor concat(const TensorList& parts, int64_t axis) {
  return op::Concat.all(parts, {{"axis", axis}})[0];
}

void merge(Rewriter& r, const std::vector<NodeId>& group) {
  const Node first = r.node(group[0]);
  TensorList weights, biases;
  std::vector<int64_t> sizes;
  for (NodeId n : group) {
    weights.push_back(*r.constant(r.node(n).inputs[1]));
    if (has_bias(first)) biases.push_back(*r.constant(r.node(n).inputs[2]));
    sizes.push_back(columns_of(r, r.node(n)));
  }
  r.at(group[0]);
  std::vector<ValueId> inputs{first.inputs[0],
                              r.constant(concat(weights, is_transposed(first) ? 0 : 1))};
  if (has_bias(first)) inputs.push_back(r.constant(concat(biases, 0)));
  const ValueId merged = r.add(*first.op, std::move(inputs), first.attrs);
  const ValueId cuts = r.constant(Tensor::ints(sizes));
  const std::vector<ValueId> parts =
      r.add_all(op::Split, {merged, cuts}, {{"axis", -1}}, group.size());
  std::vector<ValueId> results;
  for (NodeId n : group) results.push_back(r.node(n).outputs[0]);
  for (size_t i = 0; i < group.size(); ++i) r.replace(results[i], parts[i]);
}

void run(Rewriter& r) {
  const NoGrad no_grad;
  for (NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    int64_t columns = columns_of(r, r.node(n));
    if (columns == 0) continue;
    std::vector<NodeId> group{n};
    const std::span<const NodeId> users = r.users(r.node(n).inputs[0]);
    for (NodeId other : std::vector<NodeId>(users.begin(), users.end())) {
      if (std::ranges::find(group, other) != group.end() || !fit(r.node(n), r.node(other)))
        continue;
      const int64_t more = columns_of(r, r.node(other));
      if (more == 0 || !is_small(r, r.node(n), columns + more)) continue;
      columns += more;
      group.push_back(other);
    }
    if (group.size() > 1) merge(r, group);
  }
}

}  // namespace

constinit const Pass merge_projections{
    "merge_projections", "Small products of one value with several weights become one and a Split.",
    run};

}  // namespace tenon::passes
