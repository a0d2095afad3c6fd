// GlobalAveragePool: the mean over all spatial axes.
#include "ops/grad.h"
#include "ops/nn/catalog.h"
#include "ops/nn/pool_rules.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

TensorList expand(const ExpandContext& ctx) {
  return {ctx.input(0).mean(pool_rules::spatial_axes(ctx.input(0).rank()), true)};
}

TensorList grad(const GradContext& ctx) {
  const Tensor dy = ctx.grad(), shape = ctx.shape_of(0);
  const Dim count = product(spatial_dims(ctx.dims(0)));
  Tensor share;
  if (count.is_const()) {
    share = dy / static_cast<double>(count.value());
  } else {
    const auto rank = static_cast<int64_t>(dy.rank());
    const Tensor sizes = Slice(shape, Tensor::ints({2}), Tensor::ints({rank}));
    share = dy / ReduceProd(sizes, Attrs{{"keepdims", 0}}).to(dy.dtype());
  }
  return {Expand(share, shape)};
}

void samples(Samples& s) {
  s.add({arg::any({2, 3, 4, 5})});
  s.add({arg::any({1, 2, 6})});
  s.add({arg::any({2, 1, 2, 3, 2})});
  s.add({arg::any({0, 2, 3, 3})});
  s.bad({arg::any({2, 3})}, {}, "GlobalAveragePool: X is f32[2, 3]; it takes [N, C, spatial...]");
  s.bad({arg::any({2, 3, 0})}, {}, "it has nothing to pool");
}

}  // namespace

constinit const OpDef GlobalAveragePool{
    .name = "GlobalAveragePool",
    .doc = "The mean over all spatial axes, kept with size 1.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = pool_rules::infer_global,
    .expand = expand,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 1},
    .quant = QuantRole::compute,
    .samples = samples,
};

}  // namespace tenon::op
