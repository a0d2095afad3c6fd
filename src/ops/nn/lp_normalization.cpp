// LpNormalization: divides by the p-norm along an axis.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/precision.h"
#include "ops/nn/softmax_rules.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.i("p") == 1 || ctx.i("p") == 2, "p is {}; use 1 or 2", ctx.i("p"));
  softmax_rules::infer(ctx);
}

// A line of zeros has the norm 0 and stays as it is.
TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor wide = x.to(compute_type(x.dtype()));
  const Tensor axes = Tensor::ints(softmax_rules::axes(ctx, x.rank()));
  const Tensor norm = ctx.i("p") == 1 ? ReduceL1(wide, axes) : ReduceL2(wide, axes);
  const Tensor is_zero = Equal(norm, constant_like(norm, 0));
  return {(wide / Where(is_zero, constant_like(norm, 1), norm)).to(x.dtype())};
}

void samples(Samples& s) {
  s.add({arg::range({2, 5}, 0.5, 2)});
  s.add({arg::range({2, 3, 4}, -2, -0.5)}, {{"axis", 1}, {"p", 1}});
  s.add({arg::range({3, 2}, 0.5, 2)}, {{"axis", -2}});
  s.add({arg::range({2, 2}, 0, 0)}).grad = false;  // the norm has a kink at 0
  s.add({arg::any({0, 3})});
  s.bad({arg::any({2, 5})}, {{"axis", 2}}, "LpNormalization: axis 2 is outside");
  s.bad({arg::any({2, 5})}, {{"p", 3}}, "p is 3; use 1 or 2");
}

}  // namespace

constinit const OpDef LpNormalization{
    .name = "LpNormalization",
    .doc = "The input divided by its p-norm along an axis; p is 1 or 2.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_i("axis", -1), attr_i("p", 2)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 1},
    .samples = samples,
};

}  // namespace tenon::op
