// GlobalMaxPool: the maximum over all spatial axes.
#include "ops/grad.h"
#include "ops/nn/catalog.h"
#include "ops/nn/pool_rules.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

TensorList expand(const ExpandContext& ctx) {
  return {ReduceMax(ctx.input(0), Tensor::ints(pool_rules::spatial_axes(ctx.input(0).rank())))};
}

void samples(Samples& s) {
  s.add({arg::distinct({2, 3, 4, 5})});
  s.add({arg::distinct({1, 2, 6})});
  s.add({arg::any({0, 2, 3, 3})});
  s.bad({arg::any({2, 3})}, {}, "GlobalMaxPool: X is f32[2, 3]; it takes [N, C, spatial...]");
  s.bad({arg::any({2, 3, 0})}, {}, "it has nothing to pool");
}

}  // namespace

constinit const OpDef GlobalMaxPool{
    .name = "GlobalMaxPool",
    .doc = "The maximum over all spatial axes, kept with size 1.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .infer = pool_rules::infer_global,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 1},
    .quant = QuantRole::compute,
    .samples = samples,
};

}  // namespace tenon::op
