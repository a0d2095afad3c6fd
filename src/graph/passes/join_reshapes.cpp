// Chains of Reshape, Flatten, Squeeze and Unsqueeze become one Reshape, or nothing; a Reshape whose
// sizes follow from its input no longer computes them.
#include <algorithm>

#include "graph/facts.h"
#include "graph/passes/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::passes {

namespace {

using graph::Node;
using graph::NodeId;
using graph::Rewriter;
using graph::ValueId;

constexpr const OpDef* kReshapes[] = {&op::Reshape, &op::Flatten, &op::Squeeze, &op::Unsqueeze};

bool is_reshape(const Node& node) {
  return std::ranges::find(kReshapes, node.op) != std::end(kReshapes);
}

void run(Rewriter& r) {
  for (const NodeId n : r.nodes()) {
    if (!r.alive(n) || !is_reshape(r.node(n))) continue;
    const ValueId x = r.node(n).inputs[0], y = r.node(n).outputs[0];
    if (!r.type(y).ranked || (r.users(y).empty() && !r.is_output(y))) continue;
    const ValueId shape = r.node(n).op == &op::Reshape ? r.node(n).inputs[1] : graph::kNoValue;
    const bool computes_sizes = shape != graph::kNoValue && r.producer(shape) >= 0;
    r.at(n);
    // From the far end, so that the longest chain that can be said in one step is.
    std::vector<ValueId> chain{x};
    for (NodeId at = r.producer(x); at >= 0 && is_reshape(r.node(at));
         at = r.producer(chain.back()))
      chain.push_back(r.node(at).inputs[0]);
    const Dims to = r.type(y).dims;
    for (size_t i = chain.size(); i-- > 0;) {
      if (i == 0 && !computes_sizes && !graph::same_shape(r, x, y)) break;
      const auto joined = graph::reshaped(r, chain[i], to);
      if (!joined) continue;
      r.replace(y, *joined);
      break;
    }
  }
}

}  // namespace

constinit const Pass join_reshapes{
    "join_reshapes", "Chains of Reshape, Flatten, Squeeze and Unsqueeze become one Reshape.", run};

}  // namespace tenon::passes
