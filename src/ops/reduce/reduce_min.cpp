// ReduceMin: the smallest element over axes.
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/reduce/reduction.h"

namespace tenon::op {

namespace {

// Equal elements share the gradient evenly.
TensorList grad(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor one = constant_like(x, 1), zero = constant_like(x, 0);
  const Tensor chosen = Where(Equal(x, reduction::keep_axes(ctx, ctx.output(0))), one, zero);
  const Attrs keep = ctx.attrs.with({"keepdims", 1});
  const Tensor ties = ReduceSum(chosen, ctx.has_input(1) ? ctx.input(1) : Tensor(), keep);
  return reduction::only(ctx, chosen * (reduction::keep_axes(ctx, ctx.grad()) / ties));
}

void samples(Samples& s) {
  reduction::samples_apart(s);
  s.add({arg::any({2, 0}), arg::ints({1})});
  s.add({arg::fixed(Tensor::from<float>({1, 3, 3, -1, -1, 0}, {2, 3})), arg::ints({1})}).grad =
      false;
}

}  // namespace

constinit const OpDef ReduceMin{
    .name = "ReduceMin",
    .doc =
        "The smallest element over `axes`; infinity or the highest number of nothing; NaN where "
        "one is among them.",
    .inputs = {{"data", "T"}, optional_value("axes", "I")},
    .outputs = {{"reduced", "T"}},
    .types = {{"T", reduction::kTypes | types(DType::i8, DType::u8, DType::boolean)},
              {"I", kInt64}},
    .attrs = {attr_i("keepdims", 1), attr_i("noop_with_empty_axes", 0)},
    .infer = reduction::infer,
    .expand = primitive,
    .grad = {grad, saves::all_inputs | saves::output(0)},
    .onnx = {.since = 18,
             .older = {{1, reduction::axes_from_attribute}},
             .lower = reduction::axes_to_attribute},
    .samples = samples,
};

}  // namespace tenon::op
