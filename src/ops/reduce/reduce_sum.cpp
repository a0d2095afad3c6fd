// ReduceSum: the sum over axes.
#include "ops/reduce/catalog.h"
#include "ops/reduce/reduction.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  reduction::infer(ctx);
  reduction::fold_values(ctx, 0, [](const Dim& a, const Dim& b) { return a + b; });
}

TensorList grad(const GradContext& ctx) {
  return reduction::only(ctx, reduction::spread(ctx, ctx.grad()));
}

void samples(Samples& s) {
  reduction::samples(s, -2, 2);
  s.add({arg::any({2, 0, 3}), arg::ints({1})});
}

}  // namespace

constinit const OpDef ReduceSum{
    .name = "ReduceSum",
    .doc = "The sum over `axes`; 0 of nothing.",
    .inputs = {{"data", "T"}, optional_value("axes", "I")},
    .outputs = {{"reduced", "T"}},
    .types = {{"T", reduction::kTypes}, {"I", kInt64}},
    .attrs = {attr_i("keepdims", 1), attr_i("noop_with_empty_axes", 0)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1)},
    .onnx = {.since = 13,
             .older = {{1, reduction::axes_from_attribute}},
             .lower = reduction::axes_to_attribute},
    .samples = samples,
};

}  // namespace tenon::op
