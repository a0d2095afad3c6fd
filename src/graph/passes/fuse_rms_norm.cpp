#include "graph/passes/catalog.h"
#include "graph/passes/normalised_rows.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"

namespace tenon::passes {

namespace {

using graph::kNoValue;
using graph::Rewriter;
using graph::ValueId;

void run(Rewriter& r) {
  for (graph::NodeId n : r.nodes()) {
    if (!r.alive(n)) continue;
    const auto rows = normalised_rows(r, n, false);
    if (!rows) continue;
    const auto inputs = row_inputs(r, *rows);
    if (!inputs) continue;
    const auto rank = static_cast<int64_t>(r.type(rows->x).dims.size());
    r.at(r.producer(rows->y));
    const ValueId scaled =
        r.add(op::RMSNormalization, {inputs->x, inputs->scale},
              {{"axis", static_cast<int64_t>(rows->axis) - rank}, {"epsilon", rows->epsilon}});
    // The operator has no shift.
    r.replace(rows->y,
              inputs->shift == kNoValue ? scaled : r.add(op::Add, {scaled, inputs->shift}));
  }
  drop_casts(r, op::RMSNormalization);
}

}  // namespace

constinit const Pass fuse_rms_norm{"fuse_rms_norm",
                                   "RMSNormalization written out becomes one operator.", run};

}  // namespace tenon::passes
