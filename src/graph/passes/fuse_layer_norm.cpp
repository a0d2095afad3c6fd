#include "graph/passes/catalog.h"
#include "graph/passes/normalised_rows.h"
#include "ops/nn/catalog.h"

namespace tenon::passes {

namespace {

void run(graph::Rewriter& r) {
  for (graph::NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    const auto rows = normalised_rows(r, n, true);
    if (!rows) continue;
    const auto inputs = row_inputs(r, *rows);
    if (!inputs) continue;
    std::vector<graph::ValueId> given{inputs->x, inputs->scale};
    if (inputs->shift != graph::kNoValue) given.push_back(inputs->shift);
    const auto rank = static_cast<int64_t>(r.type(rows->x).dims.size());
    r.at(r.producer(rows->y));
    r.replace(rows->y, r.add(op::LayerNormalization, std::move(given),
                             {{"axis", static_cast<int64_t>(rows->axis) - rank},
                              {"epsilon", rows->epsilon}}));
  }
  drop_casts(r, op::LayerNormalization);
}

}  // namespace

constinit const Pass fuse_layer_norm{"fuse_layer_norm",
                                     "LayerNormalization written out becomes one operator.", run};

}  // namespace tenon::passes
