// GroupNormalization: each group of channels of each sample normalised together.
#include "ops/nn/catalog.h"
#include "ops/nn/norm_rules.h"
#include "ops/nn/precision.h"
#include "ops/nn/windows.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  ctx.check(x.size() >= 3, "X is {}; it takes [N, C, spatial...] of rank 3 or more", ctx.str(0));
  const int64_t groups = ctx.i("num_groups");
  ctx.check(groups >= 1, "num_groups is {}; it must be at least 1", groups);
  ctx.check(!x[1].is_const() || x[1].value() % groups == 0,
            "X is {}, whose {} channels cannot be divided into {} groups; use a num_groups that "
            "divides them",
            ctx.str(0), x[1].str(), groups);
  norm_rules::stash_type(ctx);
  norm_rules::check_vector(ctx, 1, "scale", x[1]);
  norm_rules::check_vector(ctx, 2, "bias", x[1]);
  ctx.output(0, x);
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const DType type = compute_type(x.dtype());
  // 0 keeps the batch size.
  const Tensor grouped = x.to(type).view({0, ctx.i("num_groups"), -1});
  const norm_rules::Moments m = norm_rules::moments(grouped, {2}, ctx.f("epsilon"));
  const Tensor x_hat = reshape_to(m.centered * m.inv_std, x.dims(), x);
  const auto channel = [&](size_t i) {
    return norm_rules::per_channel(ctx.input(i).to(type), x.rank());
  };
  return {(x_hat * channel(1) + channel(2)).to(x.dtype())};
}

// Opset 18 had a scale and a bias a group instead of a channel.
TensorList upgrade_18(const OnnxNode& node) {
  const Tensor& x = node.inputs[0];
  const AttrValue* given = node.attrs.find("num_groups");
  const int64_t groups = given ? std::get<int64_t>(*given) : 0;
  TENON_CHECK(x.rank() >= 2 && groups >= 1, usage,
              "GroupNormalization: node {} has X of {} axes and num_groups={}; give 2 or more axes "
              "and 1 or more groups",
              node.name, x.rank(), groups);
  const Dim channels = x.dims()[1];
  TENON_CHECK(channels.is_const(), unsupported,
              "GroupNormalization: node {} of opset 18 has an unknown number of channels; fix it "
              "to import it",
              node.name);
  const auto spread = [&](const Tensor& values) {
    const Tensor repeated = Expand(Unsqueeze(values, Tensor::ints({1})),
                                   Tensor::ints({groups, channels.value() / groups}));
    return repeated.view({-1});
  };
  return {GroupNormalization(x, spread(node.inputs[1]), spread(node.inputs[2]), node.attrs)};
}

void samples(Samples& s) {
  s.add({arg::any({2, 4, 3, 2}), arg::any({4}), arg::any({4})}, {{"num_groups", 2}});
  s.add({arg::any({2, 3, 5}), arg::any({3}), arg::any({3})}, {{"num_groups", 1}, {"epsilon", 0.1}});
  s.add({arg::any({1, 4, 2, 2, 2}), arg::any({4}), arg::any({4})}, {{"num_groups", 4}});
  s.bad({arg::any({2, 4}), arg::any({4}), arg::any({4})}, {{"num_groups", 2}},
        "GroupNormalization: X is f32[2, 4]");
  s.bad({arg::any({2, 4, 3}), arg::any({4}), arg::any({4})}, {{"num_groups", 3}},
        "cannot be divided into 3 groups");
  s.bad({arg::any({2, 4, 3}), arg::any({4}), arg::any({4})}, {{"num_groups", 0}},
        "num_groups is 0");
  s.bad({arg::any({2, 4, 3}), arg::any({4}), arg::any({4})}, {}, "attribute num_groups is missing");
  s.bad({arg::any({2, 4, 3}), arg::any({2}), arg::any({4})}, {{"num_groups", 2}},
        "scale is f32[2]");
}

}  // namespace

constinit const OpDef GroupNormalization{
    .name = "GroupNormalization",
    .doc =
        "scale * (X - mean) / sqrt(var + epsilon) + bias, with mean and variance of each group of "
        "channels.",
    .inputs = {{"X", "T"}, {"scale", "T"}, {"bias", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_f("epsilon", 1e-5), required("num_groups", AttrType::i),
              attr_i("stash_type", 1)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 21, .older = {{18, upgrade_18}}},
    .samples = samples,
};

}  // namespace tenon::op
