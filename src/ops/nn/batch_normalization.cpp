// BatchNormalization: each channel normalised by statistics of the batch or by running ones.
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/norm_rules.h"
#include "ops/nn/precision.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  ctx.check(x.size() >= 2, "X is {}; it takes [N, C, ...] of rank 2 or more", ctx.str(0));
  static constexpr std::string_view kRoles[] = {"", "scale", "B", "input_mean", "input_var"};
  for (size_t i = 1; i < 5; ++i) norm_rules::check_vector(ctx, i, kRoles[i], x[1]);
  ctx.check(ctx.output_count() == 1 || ctx.i("training_mode") != 0,
            "running statistics are asked for, but training_mode is 0; set it to 1");
  ctx.output(0, x);
  ctx.output(1, {x[1]});
  ctx.output(2, {x[1]});
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const size_t rank = x.rank();
  const DType type = compute_type(x.dtype(), ctx.input(1).dtype(), ctx.input(3).dtype());
  const Tensor wide = x.to(type);
  const auto channel = [&](size_t i) {
    return norm_rules::per_channel(ctx.input(i).to(type), rank);
  };
  if (ctx.i("training_mode") == 0) {
    const Tensor inv_std = 1.0 / Sqrt(channel(4) + ctx.f("epsilon"));
    return {((wide - channel(3)) * (inv_std * channel(1)) + channel(2)).to(x.dtype())};
  }
  const Shape axes = norm_rules::batch_axes(rank);
  const norm_rules::Moments m = norm_rules::moments(wide, axes, ctx.f("epsilon"));
  TensorList outputs{(m.centered * (m.inv_std * channel(1)) + channel(2)).to(x.dtype())};
  const double momentum = ctx.f("momentum");
  const auto running = [&](size_t i, const Tensor& now) {
    // The mean over kept axes of size 1 drops them.
    const Tensor mixed = ctx.input(i).to(type) * momentum + now.mean(axes) * (1 - momentum);
    outputs.push_back(mixed.to(ctx.input(i).dtype()));
  };
  if (ctx.output_count() > 1) running(3, m.mean);
  if (ctx.output_count() > 2) running(4, m.variance);
  return outputs;
}

// dX with what flows back through the running statistics, which mix in a part of the batch's.
Tensor add_running(const GradContext& ctx, Tensor dx) {
  const Tensor& x = ctx.input(0);
  const Shape axes = norm_rules::batch_axes(x.rank());
  if (!ctx.has_grad(1) && !ctx.has_grad(2)) return dx;
  const Tensor count = full(ctx.dims(0), 1, x.dtype(), x).sum(axes, true);
  const auto share = [&](size_t i) {
    const Tensor part = ctx.grad(i).to(x.dtype()) * (1 - ctx.f("momentum"));
    return norm_rules::per_channel(part, x.rank()) / count;
  };
  if (ctx.has_grad(1)) dx = dx + share(1);
  if (ctx.has_grad(2)) dx = dx + (x - x.mean(axes, true)) * share(2) * 2.0;
  return dx;
}

TensorList grad(const GradContext& ctx) {
  const bool training = ctx.i("training_mode") != 0;
  const Attrs attrs{{"epsilon", ctx.f("epsilon")}, {"training_mode", training}};
  const TensorList made = BatchNormalizationGrad.all(
      {ctx.grad(), ctx.input(0), ctx.input(1), training ? Tensor() : ctx.input(3),
       training ? Tensor() : ctx.input(4)},
      attrs, 3);
  TensorList grads{made[0], made[1].to(ctx.dtype(1)), made[2].to(ctx.dtype(2)), {}, {}};
  if (training) {
    if (ctx.needs(0)) grads[0] = add_running(ctx, grads[0]);
    for (size_t i = 3; i < 5; ++i)
      if (ctx.needs(i) && ctx.has_grad(i - 2)) grads[i] = ctx.grad(i - 2) * ctx.f("momentum");
    return grads;
  }
  // Y = (X - mean) * inv_std * scale + B, with inv_std = (var + epsilon)^-1/2.
  const DType type = ctx.dtype(3);
  const Tensor inv_std = 1.0 / Sqrt(ctx.input(4) + ctx.f("epsilon"));
  const Tensor slope = ctx.input(1).to(type) * inv_std;
  if (ctx.needs(3)) grads[3] = -(made[2].to(type) * slope);
  if (ctx.needs(4)) grads[4] = made[1].to(type) * slope * inv_std * -0.5;
  return grads;
}

// spatial = 0, up to opset 8: running statistics of each element of [C, ...], not of each channel.
Tensor normalize_elements(const OnnxNode& node) {
  const Tensor &x = node.inputs[0], &mean = node.inputs[3], &var = node.inputs[4];
  const double epsilon = Call{BatchNormalization, node.attrs}.f("epsilon");
  return (x - mean) / Sqrt(var + epsilon) * node.inputs[1] + node.inputs[2];
}

// Before opset 14 five outputs, or is_test = 0, meant training; the last two are the batch's
// statistics.
TensorList older(const OnnxNode& node, bool training) {
  const AttrValue* spatial = node.attrs.find("spatial");
  if (spatial && std::get<int64_t>(*spatial) == 0) {
    TENON_CHECK(!training && node.inputs.size() == 5, unsupported,
                "BatchNormalization: node {} trains with spatial = 0; statistics of each element "
                "are only read, export it for inference",
                node.name);
    return {normalize_elements(node)};
  }
  Attrs attrs = node.attrs.without("spatial").without("is_test").without("consumed_inputs");
  if (training) attrs = attrs.with({"training_mode", 1});
  const size_t running = training ? std::min<size_t>(node.output_count, 3) : 1;
  TensorList outputs = BatchNormalization.all(node.inputs, attrs, running);
  if (node.output_count > 3) {
    const Tensor& x = node.inputs[0];
    const Shape axes = norm_rules::batch_axes(x.rank());
    const Tensor centered = x - x.mean(axes, true);
    outputs.push_back(x.mean(axes));
    outputs.push_back((centered * centered).mean(axes));
  }
  return outputs;
}

TensorList upgrade_1(const OnnxNode& node) {
  const AttrValue* is_test = node.attrs.find("is_test");
  return older(node, node.output_count > 1 && !(is_test && std::get<int64_t>(*is_test) != 0));
}

TensorList upgrade_7(const OnnxNode& node) { return older(node, node.output_count > 1); }

void lower(OnnxNode& node) {
  const Call call{BatchNormalization, node.attrs};
  TENON_CHECK(call.i("training_mode") == 0, unsupported,
              "BatchNormalization: node {} is in training mode, which opset {} cannot say; export "
              "to opset 14 or later",
              node.name, node.opset);
  node.attrs = node.attrs.without("training_mode");
  if (node.opset < 7) node.attrs = node.attrs.with({"is_test", 1});
}

void samples(Samples& s) {
  const auto channels = [](int64_t c) { return arg::any({c}); };
  const auto variance = [](int64_t c) { return arg::range({c}, 0.5, 2); };
  const auto doubles = [](int64_t c, double low) { return arg::typed({c}, DType::f64, low, 2); };
  s.add({arg::any({2, 3, 2, 2}), channels(3), channels(3), channels(3), variance(3)});
  s.add({arg::any({4, 3}), channels(3), channels(3), channels(3), variance(3)},
        {{"epsilon", 0.01}});
  s.add({arg::any({4, 3}), channels(3), channels(3), channels(3), variance(3)},
        {{"training_mode", 1}});
  s.add({arg::any({0, 3, 2}), channels(3), channels(3), channels(3), variance(3)});
  // f32 statistics of X in f64 are too coarse for finite differences.
  Sample& coarse = s.add({arg::any({2, 2, 5}), channels(2), channels(2), channels(2), variance(2)},
                         {{"training_mode", 1}, {"epsilon", 0.001}});
  coarse.outputs = 3;
  coarse.grad = false;
  s.add({arg::any({3, 2, 2, 2}), doubles(2, -2), doubles(2, -2), doubles(2, -2), doubles(2, 0.5)},
        {{"training_mode", 1}, {"momentum", 0.6}})
      .outputs = 3;
  s.add({arg::any({2, 2, 3}), doubles(2, -2), doubles(2, -2), doubles(2, -2), doubles(2, 0.5)});
  s.bad({arg::any({3}), channels(3), channels(3), channels(3), variance(3)}, {},
        "BatchNormalization: X is f32[3]; it takes [N, C, ...]");
  s.bad({arg::any({2, 3}), channels(2), channels(3), channels(3), variance(3)}, {},
        "scale is f32[2]");
  s.bad({arg::any({2, 3}), channels(3), channels(3), channels(3), arg::any({1, 3})}, {},
        "it must have shape [3]");
}

}  // namespace

constinit const OpDef BatchNormalization{
    .name = "BatchNormalization",
    .doc =
        "scale * (X - mean) / sqrt(var + epsilon) + B for each channel; in training_mode with the "
        "batch's statistics.",
    .inputs = {{"X", "T"}, {"scale", "T1"}, {"B", "T1"}, {"input_mean", "T2"}, {"input_var", "T2"}},
    .outputs = {{"Y", "T"}, optional("running_mean", "T2"), optional("running_var", "T2")},
    .types = {{"T", kFloats}, {"T1", kFloats}, {"T2", kFloats}},
    .attrs = {attr_f("epsilon", 1e-5), attr_f("momentum", 0.9), attr_i("training_mode", 0)},
    .infer = infer,
    .expand = expand,
    .grad = {grad, saves::all_inputs},
    .onnx = {.since = 14, .older = {{1, upgrade_1}, {7, upgrade_7}}, .lower = lower},
    .samples = samples,
};

}  // namespace tenon::op
