// ReduceSumSquare: the sum of squares over axes.
#include "ops/math/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/reduce/reduction.h"

namespace tenon::op {

namespace {

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  return {ReduceSum(x * x, ctx.has_input(1) ? ctx.input(1) : Tensor(), ctx.attrs)};
}

TensorList grad(const GradContext& ctx) {
  return reduction::only(ctx, ctx.input(0) * (reduction::keep_axes(ctx, ctx.grad()) * 2));
}

void samples(Samples& s) {
  reduction::samples(s, -2, 2);
  s.add({arg::any({2, 0, 3}), arg::ints({1})});
}

}  // namespace

constinit const OpDef ReduceSumSquare{
    .name = "ReduceSumSquare",
    .doc = "The sum of squares over `axes`; 0 of nothing.",
    .inputs = {{"data", "T"}, optional_value("axes", "I")},
    .outputs = {{"reduced", "T"}},
    .types = {{"T", reduction::kTypes}, {"I", kInt64}},
    .attrs = {attr_i("keepdims", 1), attr_i("noop_with_empty_axes", 0)},
    .infer = reduction::infer,
    .expand = expand,
    .grad = {grad, saves::all_inputs},
    .onnx = {.since = 18,
             .older = {{1, reduction::axes_from_attribute}},
             .lower = reduction::axes_to_attribute},
    .samples = samples,
};

}  // namespace tenon::op
