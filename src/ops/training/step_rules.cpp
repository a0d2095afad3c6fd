// Validation and shapes of optimiser steps.
#include "ops/training/step_rules.h"

namespace tenon::step_rules {

void infer(InferContext& ctx) {
  for (size_t i = 0; i < 2; ++i)
    ctx.check(ctx.rank(i) == 0, "{} is {}; it must be a scalar of rank 0", ctx.op.inputs[i].name,
              ctx.str(i));
  const Dims& param = ctx.dims(2);
  for (size_t i = 3; i < ctx.input_count(); ++i) {
    if (!ctx.has_input(i)) continue;
    bool same = ctx.rank(i) == param.size();
    for (size_t k = 0; same && k < param.size(); ++k) {
      const Dim& a = ctx.dims(i)[k];
      same = !a.is_const() || !param[k].is_const() || a == param[k];
    }
    ctx.check(same, "{} is {} but param is {}; both must have the same shape",
              ctx.op.inputs[i].name, ctx.str(i), ctx.str(2));
  }
  for (size_t i = 0; i < ctx.output_count(); ++i) ctx.output(i, param);
}

}  // namespace tenon::step_rules
