// ReduceL1: the sum of absolute values over axes.
#include "ops/math/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/reduce/reduction.h"

namespace tenon::op {

namespace {

TensorList expand(const ExpandContext& ctx) {
  return {ReduceSum(Abs(ctx.input(0)), ctx.has_input(1) ? ctx.input(1) : Tensor(), ctx.attrs)};
}

TensorList grad(const GradContext& ctx) {
  return reduction::only(ctx, Sign(ctx.input(0)) * reduction::keep_axes(ctx, ctx.grad()));
}

void samples(Samples& s) {
  reduction::samples(s, 0.2, 2);
  s.add({arg::range({2, 3}, -2, -0.2), arg::ints({0})});
  s.add({arg::any({2, 0}), arg::ints({1})});
}

}  // namespace

constinit const OpDef ReduceL1{
    .name = "ReduceL1",
    .doc = "The sum of absolute values over `axes`; 0 of nothing.",
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
