// GlobalAveragePool: the mean over all spatial axes.
#include "ops/grad.h"
#include "ops/nn/catalog.h"
#include "ops/nn/pool_rules.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

TensorList expand(const ExpandContext& ctx) {
  return {ctx.input(0).mean(pool_rules::spatial_axes(ctx.input(0).rank()), true)};
}

TensorList grad(const GradContext& ctx) {
  const int64_t count = known_spatial("GlobalAveragePool", "X", ctx.dims(0)).numel();
  const Tensor dy = ctx.grad();
  return {Expand(dy / static_cast<double>(count), shape_tensor(ctx.dims(0), dy))};
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
