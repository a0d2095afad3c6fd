// DynamicQuantizeLinear: a tensor quantised to u8 over the range that it has.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/quant/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.output(0, ctx.dims(0), DType::u8);
  ctx.output(1, {}, DType::f32);
  ctx.output(2, {}, DType::u8);
}

// The range is widened to hold 0. That of nothing but zeros takes the scale 1, as ONNX Runtime has
// it: a scale of 0 would make 0 / 0 of every element.
TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Attrs whole{{"keepdims", 0}};
  const Tensor zero = Tensor::scalar(0), steps = Tensor::scalar(255);
  const Tensor low = Min(ReduceMin(x, whole), zero), high = Max(ReduceMax(x, whole), zero);
  const Tensor range = high - low;
  const Tensor scale = Where(Equal(range, zero), Tensor::scalar(1), range / steps);
  const Tensor point = Round(Clip(zero - low / scale, zero, steps)).to(DType::u8);
  return {QuantizeLinear(x, scale, point), scale, point};
}

void samples(Samples& s) {
  s.add({arg::range({2, 3}, -1, 3)}).outputs = 3;
  s.add({arg::range({3, 40}, 1, 3)}).outputs = 3;
  s.add({arg::range({100}, -3, -1)}).outputs = 3;
  s.add({arg::any({})}).outputs = 3;
  s.add({arg::range({2, 2}, 0, 0)}).outputs = 3;
  s.add({arg::any({0, 3})}).outputs = 3;
  s.bad({arg::typed({2}, DType::f64)}, {}, "input x is f64[2]; it takes f32");
}

}  // namespace

constinit const OpDef DynamicQuantizeLinear{
    .name = "DynamicQuantizeLinear",
    .doc =
        "x in 255 steps between its smallest and its largest element, which are taken to be on "
        "either side of 0; with the scale and the zero point.",
    .inputs = {{"x", "T1"}},
    .outputs = {{"y", "T2"}, {"y_scale", "T1"}, {"y_zero_point", "T2"}},
    .types = {{"T1", kFloat32}, {"T2", types(DType::u8)}},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("it rounds, so its slope is 0 where it has one"),
    .onnx = {.since = 11},
    .samples = samples,
};

}  // namespace tenon::op
