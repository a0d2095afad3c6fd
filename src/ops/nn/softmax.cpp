// Softmax: exp(x) along an axis, divided by its sum.
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/precision.h"
#include "ops/nn/softmax_rules.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

// Subtracting the maximum keeps exp() in range and changes nothing else.
TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Shape axes = softmax_rules::axes(ctx, x.rank());
  const Tensor wide = x.to(compute_type(x.dtype()));
  const Tensor exps = Exp(wide - ReduceMax(wide, Tensor::ints(axes)));
  return {(exps / exps.sum(axes, true)).to(x.dtype())};
}

TensorList grad(const GradContext& ctx) {
  return {SoftmaxGrad(ctx.grad(), ctx.output(0), ctx.attrs)};
}

TensorList upgrade_1(const OnnxNode& node) { return softmax_rules::upgrade_flat(Softmax, node); }

void samples(Samples& s) {
  s.add({arg::any({2, 5})});
  s.add({arg::any({2, 3, 4})}, {{"axis", 1}});
  s.add({arg::any({3, 2})}, {{"axis", -2}});
  s.add({arg::any({4})}, {{"axis", 0}});
  s.add({arg::any({0, 3})});
  s.add({arg::range({2, 6}, 1000, 1001)}).types = types(DType::f32, DType::f64);
  s.bad({arg::any({2, 5})}, {{"axis", 2}}, "Softmax: axis 2 is outside");
  s.bad({arg::any({2, 5})}, {{"axes", 1}}, "unknown attribute 'axes'; did you mean 'axis'?");
}

}  // namespace

constinit const OpDef Softmax{
    .name = "Softmax",
    .doc = "exp(x) divided by its sum along an axis.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_i("axis", -1)},
    .infer = softmax_rules::infer,
    .expand = expand,
    .grad = {grad, saves::output(0)},
    .onnx = {.since = 13, .older = {{1, upgrade_1}}, .lower = softmax_rules::lower_flat},
    .samples = samples,
};

}  // namespace tenon::op
