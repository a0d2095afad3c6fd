// ReduceLogSum: the logarithm of the sum over axes.
#include "ops/math/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/reduce/reduction.h"

namespace tenon::op {

namespace {

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor sum = ReduceSum(x, ctx.has_input(1) ? ctx.input(1) : Tensor(), ctx.attrs);
  if (is_float(x.dtype())) return {Log(sum)};
  return {Log(sum.to(DType::f64)).to(x.dtype())};
}

TensorList grad(const GradContext& ctx) {
  return reduction::only(ctx, reduction::spread(ctx, ctx.grad() / Exp(ctx.output(0))));
}

void samples(Samples& s) {
  reduction::samples(s, 1, 3);
  s.add({arg::any({2, 0}), arg::ints({1})}).types = kFloats;
}

}  // namespace

constinit const OpDef ReduceLogSum{
    .name = "ReduceLogSum",
    .doc = "The logarithm of the sum over `axes`; -infinity of nothing.",
    .inputs = {{"data", "T"}, optional_value("axes", "I")},
    .outputs = {{"reduced", "T"}},
    .types = {{"T", reduction::kTypes}, {"I", kInt64}},
    .attrs = {attr_i("keepdims", 1), attr_i("noop_with_empty_axes", 0)},
    .infer = reduction::infer,
    .expand = expand,
    .grad = {grad, saves::input(1) | saves::output(0)},
    .onnx = {.since = 18,
             .older = {{1, reduction::axes_from_attribute}},
             .lower = reduction::axes_to_attribute},
    .samples = samples,
};

}  // namespace tenon::op
