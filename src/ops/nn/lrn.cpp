// LRN: local response normalisation across neighbouring channels.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/precision.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) >= 3, "X is {}; it takes [N, C, spatial...] of rank 3 or more", ctx.str(0));
  ctx.check(ctx.i("size") >= 1, "size is {}; it must be at least 1", ctx.i("size"));
  ctx.output(0, ctx.dims(0));
}

// alpha / size * (sum of squares of the channels around) is alpha times the average over the padded
// channels, pooled as if they were a spatial axis.
TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor wide = x.to(compute_type(x.dtype()));
  const int64_t size = ctx.i("size");
  std::vector<int64_t> kernel(x.rank() - 1, 1), pads(2 * (x.rank() - 1), 0);
  kernel[0] = size;
  pads[0] = (size - 1) / 2;
  pads[x.rank() - 1] = size - 1 - pads[0];
  const Tensor squares = Unsqueeze(wide * wide, Tensor::ints({1}));
  const Tensor average = AveragePool(
      squares,
      {{"count_include_pad", 1}, {"kernel_shape", AttrValue(kernel)}, {"pads", AttrValue(pads)}});
  const Tensor base = Squeeze(average, Tensor::ints({1})) * ctx.f("alpha") + ctx.f("bias");
  return {(wide / Pow(base, constant_like(wide, ctx.f("beta")))).to(x.dtype())};
}

void samples(Samples& s) {
  s.add({arg::any({2, 5, 3, 2})}, {{"size", 3}});
  s.add({arg::any({1, 4, 5})}, {{"size", 2}, {"alpha", 0.5}, {"beta", 0.5}, {"bias", 2.0}});
  s.add({arg::any({0, 4, 2, 2})}, {{"size", 3}});
  s.bad({arg::any({2, 5})}, {{"size", 3}}, "LRN: X is f32[2, 5]");
  s.bad({arg::any({2, 5, 3})}, {{"size", 0}}, "size is 0; it must be at least 1");
  s.bad({arg::any({2, 5, 3})}, {}, "attribute size is missing");
}

}  // namespace

constinit const OpDef LRN{
    .name = "LRN",
    .doc = "X / (bias + alpha / size * (sum of squares over `size` neighbouring channels))^beta.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_f("alpha", 0.0001), attr_f("beta", 0.75), attr_f("bias", 1),
              required("size", AttrType::i)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 1},
    .samples = samples,
};

}  // namespace tenon::op
