// ReduceL2: the Euclidean norm over axes.
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/reduce/reduction.h"

namespace tenon::op {

namespace {

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor sum = ReduceSum(x * x, ctx.has_input(1) ? ctx.input(1) : Tensor(), ctx.attrs);
  if (is_float(x.dtype())) return {Sqrt(sum)};
  return {Sqrt(sum.to(DType::f64)).to(x.dtype())};
}

// At 0, where the norm has a corner, the gradient is taken as 0.
TensorList grad(const GradContext& ctx) {
  const Tensor norm = reduction::keep_axes(ctx, ctx.output(0));
  const Tensor divisor = Where(Equal(norm, constant_like(norm, 0)), constant_like(norm, 1), norm);
  return reduction::only(ctx, ctx.input(0) * (reduction::keep_axes(ctx, ctx.grad()) / divisor));
}

void samples(Samples& s) {
  reduction::samples(s, 0.5, 2);
  s.add({arg::range({2, 3}, -2, -0.5), arg::ints({0})});
  s.add({arg::any({2, 0}), arg::ints({1})});
  s.add({arg::range({2, 2}, 0, 0), arg::ints({1})}).grad = false;
}

}  // namespace

constinit const OpDef ReduceL2{
    .name = "ReduceL2",
    .doc = "The root of the sum of squares over `axes`; 0 of nothing.",
    .inputs = {{"data", "T"}, optional_value("axes", "I")},
    .outputs = {{"reduced", "T"}},
    .types = {{"T", reduction::kTypes}, {"I", kInt64}},
    .attrs = {attr_i("keepdims", 1), attr_i("noop_with_empty_axes", 0)},
    .infer = reduction::infer,
    .expand = expand,
    .grad = {grad, saves::all_inputs | saves::output(0)},
    .onnx = {.since = 18,
             .older = {{1, reduction::axes_from_attribute}},
             .lower = reduction::axes_to_attribute},
    .samples = samples,
};

}  // namespace tenon::op
