#include "ops/reduce/cumulation.h"

namespace tenon::cumulation {

void infer(InferContext& ctx) {
  const Dim count = product(ctx.dims(1));
  ctx.check(!count.is_const() || count.value() == 1, "axis is {}; give one number", ctx.str(1));
  if (const auto axis = ctx.ints_of(1); axis && axis->size() == 1)
    ctx.axis(axis->front(), ctx.rank(0));
  ctx.output(0, ctx.dims(0));
}

void samples(Samples& s) {
  s.add({arg::any({5}), arg::int_scalar(0)});
  s.add({arg::any({2, 3}), arg::int_scalar(0)}, {{"exclusive", 1}});
  s.add({arg::any({2, 3, 2}), arg::fixed(Tensor::from<int32_t>({-2}, {1}))}, {{"reverse", 1}});
  s.add({arg::any({2, 4}), arg::int_scalar(-1)}, {{"reverse", 1}, {"exclusive", 1}});
  s.add({arg::any({3, 1}), arg::int_scalar(1)});
  s.add({arg::any({0, 3}), arg::int_scalar(0)});
  s.bad({arg::any({2, 3}), arg::int_scalar(2)}, {}, "axis 2 is outside");
  s.bad({arg::any({2, 3}), arg::ints({0, 1})}, {}, "axis is i64[2]; give one number");
}

}  // namespace tenon::cumulation
