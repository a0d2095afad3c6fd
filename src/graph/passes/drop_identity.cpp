#include "graph/passes/catalog.h"
#include "ops/math/catalog.h"

namespace tenon::passes {

namespace {

void run(graph::Rewriter& r) {
  for (graph::NodeId n : r.nodes())
    if (r.alive(n) && r.node(n).op == &op::Identity)
      r.replace(r.node(n).outputs[0], r.node(n).inputs[0]);
}

}  // namespace

constinit const Pass drop_identity{"drop_identity", "Identity gives way to what it copies.", run};

}  // namespace tenon::passes
