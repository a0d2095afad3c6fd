// ReduceLogSumExp: the logarithm of the sum of exponentials over axes.
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/reduce/reduction.h"

namespace tenon::op {

namespace {

// The largest element is taken out first, so that exponentials stay in range; an infinite one stays
// in.
TensorList expand(const ExpandContext& ctx) {
  const Tensor& given = ctx.input(0);
  const Tensor x = is_float(given.dtype()) ? given : given.to(DType::f64);
  const Tensor axes = ctx.has_input(1) ? ctx.input(1) : Tensor();
  const Tensor most = ReduceMax(x, axes, ctx.attrs.with({"keepdims", 1}));
  const Tensor shift = Where(IsInf(most), constant_like(x, 0), most);
  const Tensor sum = ReduceSum(Exp(x - shift), axes, ctx.attrs);
  return {(Log(sum) + ReduceMax(shift, axes, ctx.attrs)).to(given.dtype())};
}

TensorList grad(const GradContext& ctx) {
  const Tensor share = Exp(ctx.input(0) - reduction::keep_axes(ctx, ctx.output(0)));
  return reduction::only(ctx, share * reduction::keep_axes(ctx, ctx.grad()));
}

void samples(Samples& s) {
  reduction::samples(s, -2, 2);
  s.add({arg::range({2, 3}, 300, 310), arg::ints({1})}).types =
      kFloats - types(DType::f16, DType::bf16);
  s.add({arg::any({2, 0}), arg::ints({1})}).types = kFloats;
}

}  // namespace

constinit const OpDef ReduceLogSumExp{
    .name = "ReduceLogSumExp",
    .doc = "The logarithm of the sum of exponentials over `axes`; -infinity of nothing.",
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
