// A residual sum and its normalisation in one pass over the rows: SkipLayerNormalization and
// SkipSimplifiedLayerNormalization, whose output 3 is the sum, for whoever else reads it.
#include "graph/passes/catalog.h"
#include "graph/passes/pattern.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

bool is_read(const Rewriter& r, ValueId id) {
  return id != kNoValue && (!r.users(id).empty() || r.is_output(id));
}

void fuse(Rewriter& r, NodeId n, const OpDef& fused) {
  const Node& norm = r.node(n);
  const ValueId sum = norm.inputs[0], y = norm.outputs[0];
  const Node* add = r.made_by(sum, op::Add);
  if (!add || !is_computed(r, sum) || !r.type(sum).ranked) return;
  const ValueId x = add->inputs[0], skip = add->inputs[1];
  const Dims& dims = r.type(sum).dims;
  if (!same_type(r, x, sum) || !same_type(r, skip, sum) || (dims.size() != 2 && dims.size() != 3))
    return;
  const Call call{*norm.op, norm.attrs};
  const auto rank = static_cast<int64_t>(dims.size());
  if (call.i("axis") != -1 && call.i("axis") != rank - 1) return;
  // Another type of statistics, or statistics that are wanted, are the plain operator's.
  if (call.i("stash_type") != 1) return;
  for (size_t i = 1; i < norm.outputs.size(); ++i)
    if (is_read(r, norm.outputs[i])) return;
  std::vector<ValueId> inputs{x, skip};
  for (size_t i = 1; i < norm.inputs.size(); ++i) {
    const ValueId vector = norm.inputs[i];
    if (vector != kNoValue && (r.type(vector).dtype != r.type(sum).dtype ||
                               !r.type(vector).ranked || r.type(vector).dims != Dims{dims.back()}))
      return;
    inputs.push_back(vector);
  }
  const double epsilon = call.f("epsilon");
  const bool shared = !r.used_once(sum);
  r.at(n);
  const std::vector<ValueId> made =
      r.add_all(fused, std::move(inputs), {{"epsilon", epsilon}}, shared ? 4 : 1);
  r.replace(y, made[0]);
  if (shared) r.replace(sum, made[3]);
}

void run(Rewriter& r) {
  for (NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    if (r.node(n).op == &op::LayerNormalization) fuse(r, n, op::SkipLayerNormalization);
    if (r.node(n).op == &op::RMSNormalization) fuse(r, n, op::SkipSimplifiedLayerNormalization);
  }
}

}  // namespace

constinit const Pass fuse_skip_norm{
    "fuse_skip_norm",
    "Add and LayerNormalization or RMSNormalization become one operator, which gives the sum, too.",
    run};

}  // namespace tenon::passes
