// ReduceMean: the mean over axes.
#include "ops/math/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/reduce/reduction.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  reduction::infer(ctx);
  const auto in = to_shape(ctx.dims(0)), out = to_shape(ctx.outputs()[0].dims);
  const bool of_nothing =
      in && out && ctx.outputs()[0].ranked && in->numel() == 0 && out->numel() > 0;
  ctx.check(!of_nothing || is_float(ctx.dtype(0)),
            "data is {}: the mean of no elements is not a number, which {} cannot say; cast to a "
            "float type",
            ctx.str(0), name(ctx.dtype(0)));
}

// How many elements one mean is of, as the gradient's type.
Tensor count(const GradContext& ctx, const Tensor& dy) {
  Dim product = 1;
  std::vector<int64_t> axes;
  for (const size_t axis : reduction::reduced_axes(ctx)) {
    product = product * ctx.dims(0)[axis];
    axes.push_back(static_cast<int64_t>(axis));
  }
  if (product.is_const()) return constant_like(dy, static_cast<double>(product.value()));
  const Tensor sizes = Gather(ctx.shape_of(0), Tensor::ints(axes));
  return Cast(ReduceProd(sizes, {{"keepdims", 0}}), {{"to", static_cast<int64_t>(dy.dtype())}});
}

TensorList grad(const GradContext& ctx) {
  const Tensor dy = ctx.grad();
  return reduction::only(ctx, reduction::spread(ctx, dy / count(ctx, dy)));
}

void samples(Samples& s) {
  reduction::samples(s, -2, 2);
  s.add({arg::any({2, 0}), arg::ints({1})}).types = kFloats;
  s.bad({arg::typed({2, 0}, DType::i32), arg::ints({1})}, {},
        "the mean of no elements is not a number");
}

}  // namespace

constinit const OpDef ReduceMean{
    .name = "ReduceMean",
    .doc = "The mean over `axes`; NaN of nothing. Integers are rounded towards 0.",
    .inputs = {{"data", "T"}, optional_value("axes", "I")},
    .outputs = {{"reduced", "T"}},
    .types = {{"T", reduction::kTypes}, {"I", kInt64}},
    .attrs = {attr_i("keepdims", 1), attr_i("noop_with_empty_axes", 0)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1)},
    .onnx = {.since = 18,
             .older = {{1, reduction::axes_from_attribute}},
             .lower = reduction::axes_to_attribute},
    .samples = samples,
};

}  // namespace tenon::op
