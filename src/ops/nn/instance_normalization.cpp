// InstanceNormalization: each channel of each sample normalised over its spatial axes.
#include "ops/nn/catalog.h"
#include "ops/nn/norm_rules.h"
#include "ops/nn/precision.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  ctx.check(x.size() >= 3, "input is {}; it takes [N, C, spatial...] of rank 3 or more",
            ctx.str(0));
  norm_rules::check_vector(ctx, 1, "scale", x[1]);
  norm_rules::check_vector(ctx, 2, "B", x[1]);
  ctx.output(0, x);
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const DType type = compute_type(x.dtype());
  const auto channel = [&](size_t i) {
    return norm_rules::per_channel(ctx.input(i).to(type), x.rank());
  };
  const norm_rules::Moments m =
      norm_rules::moments(x.to(type), norm_rules::spatial_axes(x.rank()), ctx.f("epsilon"));
  return {(m.centered * (m.inv_std * channel(1)) + channel(2)).to(x.dtype())};
}

void samples(Samples& s) {
  s.add({arg::any({2, 3, 2, 4}), arg::any({3}), arg::any({3})});
  s.add({arg::any({2, 2, 5}), arg::any({2}), arg::any({2})}, {{"epsilon", 0.1}});
  s.add({arg::any({0, 2, 3}), arg::any({2}), arg::any({2})});
  s.bad({arg::any({2, 3}), arg::any({3}), arg::any({3})}, {},
        "InstanceNormalization: input is f32[2, 3]");
  s.bad({arg::any({2, 3, 4}), arg::any({2}), arg::any({3})}, {}, "scale is f32[2]");
  s.bad({arg::any({2, 3, 4}), arg::any({3}), arg::any({4})}, {}, "it must have shape [3]");
}

}  // namespace

constinit const OpDef InstanceNormalization{
    .name = "InstanceNormalization",
    .doc =
        "scale * (x - mean) / sqrt(var + epsilon) + B, with mean and variance of each channel of "
        "each sample.",
    .inputs = {{"input", "T"}, {"scale", "T"}, {"B", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_f("epsilon", 1e-5)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 6, .older = {{1, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
