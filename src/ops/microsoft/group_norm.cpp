// GroupNorm: GroupNormalization of images whose channels are last, with an activation.
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/nn/catalog.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

Attrs standard_attrs(const Call& call) {
  return {{"num_groups", call.i("groups")}, {"epsilon", call.f("epsilon")}};
}

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) == 4, "X is {}; it must be an image, of rank 4", ctx.str(0));
  const int64_t activation = ctx.i("activation");
  ctx.check(activation == 0 || activation == 1, "activation is {}; use 0 (none) or 1 (SiLU)",
            activation);
  std::vector<TensorType> inputs{ctx.input(0), ctx.input(1), ctx.input(2)};
  const Dims& x = ctx.dims(0);
  if (ctx.i("channels_last") != 0) inputs[0].dims = {x[0], x[3], x[1], x[2]};
  for (size_t i : {1, 2}) inputs[i].dtype = ctx.dtype(0);
  microsoft::like(ctx, GroupNormalization, standard_attrs(ctx), inputs);
  ctx.output(0, x);
}

TensorList expand(const ExpandContext& ctx) {
  const bool last = ctx.i("channels_last") != 0;
  const Tensor x = last ? Transpose(ctx.input(0), {{"perm", {0, 3, 1, 2}}}) : ctx.input(0);
  Tensor y = GroupNormalization(x, ctx.input(1).to(x.dtype()), ctx.input(2).to(x.dtype()),
                                standard_attrs(ctx));
  if (ctx.i("activation") == 1) y = Swish(y);
  return {last ? Transpose(y, {{"perm", {0, 2, 3, 1}}}) : y};
}

void samples(Samples& s) {
  const auto vector = [](DType type) { return arg::typed({4}, type); };
  const Attrs groups{{"groups", 2}};
  s.add({arg::any({2, 3, 2, 4}), vector(DType::f64), vector(DType::f64)},
        groups.with({"activation", 1}))
      .types = types(DType::f64);
  s.add({arg::any({2, 4, 3, 2}), vector(DType::f64), vector(DType::f64)},
        groups.with({"activation", 0}).with({"channels_last", 0}))
      .types = types(DType::f64);
  s.add({arg::any({2, 3, 2, 4}), vector(DType::f32), vector(DType::f32)},
        groups.with({"activation", 1}))
      .types = types(DType::f32, DType::f16);
  s.bad({arg::any({2, 3, 4}), arg::any({4}), arg::any({4})}, groups.with({"activation", 1}),
        "GroupNorm: X is f32[2, 3, 4]");
  s.bad({arg::any({2, 3, 2, 4}), arg::any({4}), arg::any({4})}, groups.with({"activation", 2}),
        "activation is 2");
  s.bad({arg::any({2, 3, 2, 4}), arg::any({3}), arg::any({4})}, groups.with({"activation", 0}),
        "scale is f32[3]");
}

}  // namespace

constinit const OpDef GroupNorm{
    .name = "GroupNorm",
    .doc = "GroupNormalization of X [N, H, W, C], or [N, C, H, W], and SiLU where wanted.",
    .inputs = {{"X", "T"}, {"gamma", "M"}, {"beta", "M"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}, {"M", kFloats}},
    .attrs = {required("activation", AttrType::i), attr_i("channels_last", 1),
              attr_f("epsilon", 1e-5), required("groups", AttrType::i)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
