// NhwcFusedConv: FusedConv of images whose channels are last.
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/nn/conv_rules.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

Dims channels_first(const Dims& dims) {
  Dims moved{dims[0], dims.back()};
  moved.insert(moved.end(), dims.begin() + 1, dims.end() - 1);
  return moved;
}

// The channels' axis from the end to the front, or back.
Tensor move_channels(const Tensor& x, bool first) {
  const auto rank = static_cast<int64_t>(x.rank());
  std::vector<int64_t> order{0};
  if (first) order.push_back(rank - 1);
  for (int64_t i = first ? 1 : 2; i < (first ? rank - 1 : rank); ++i) order.push_back(i);
  if (!first) order.push_back(1);
  return Transpose(x, Attrs{{"perm", AttrValue(order)}});
}

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) >= 3, "X is {}; it takes [N, spatial..., C] of rank 3 or more", ctx.str(0));
  std::vector<TensorType> inputs;
  for (size_t i = 0; i < 4; ++i) inputs.push_back(ctx.input(i));
  inputs[0].dims = channels_first(inputs[0].dims);
  if (ctx.has_input(3)) {
    ctx.check(ctx.rank(3) >= 3, "Z is {}; it takes [N, spatial..., C]", ctx.str(3));
    inputs[3].dims = channels_first(inputs[3].dims);
  }
  const Dims y = microsoft::like(ctx, FusedConv, ctx.attrs, inputs)[0].dims;
  Dims last{y[0]};
  last.insert(last.end(), y.begin() + 2, y.end());
  last.push_back(y[1]);
  ctx.output(0, last);
}

// The order of the maps' axes is all the same to the count.
double flops(const InferContext& ctx) {
  return conv_rules::flops(ctx.outputs()[0].dims, ctx.dims(1));
}

TensorList expand(const ExpandContext& ctx) {
  const auto given = [&](size_t i) { return ctx.has_input(i) ? ctx.input(i) : Tensor(); };
  const Tensor z = ctx.has_input(3) ? move_channels(ctx.input(3), true) : Tensor();
  const Tensor y =
      FusedConv(move_channels(ctx.input(0), true), ctx.input(1), given(2), z, ctx.attrs);
  return {move_channels(y, false)};
}

void samples(Samples& s) {
  s.add({arg::any({1, 4, 4, 2}), arg::any({3, 2, 3, 3}), arg::any({3})},
        {{"pads", {1, 1, 1, 1}}, {"activation", "Tanh"}});
  s.add({arg::any({1, 4, 4, 2}), arg::any({2, 1, 2, 2}), arg::none(), arg::any({1, 3, 3, 2})},
        {{"group", 2}});
  s.bad({arg::any({3, 5}), arg::any({4, 3, 3})}, {}, "NhwcFusedConv: X is f32[3, 5]");
  s.bad({arg::any({1, 5, 1}), arg::any({1, 1, 3})}, {{"activation", "Relo"}}, "did you mean Relu?");
}

}  // namespace

constinit const OpDef NhwcFusedConv{
    .name = "NhwcFusedConv",
    .doc = "FusedConv of X [N, spatial..., C]; the weights are those of Conv.",
    .inputs = {{"X", "T"}, {"W", "T"}, optional("B", "T"), optional("Z", "T")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_s("activation", ""), attr("activation_params", AttrType::floats),
              attr_s("auto_pad", "NOTSET", "NOTSET|SAME_UPPER|SAME_LOWER|VALID"),
              attr("dilations", AttrType::ints), attr_i("group", 1),
              attr("kernel_shape", AttrType::ints), attr("pads", AttrType::ints),
              attr("strides", AttrType::ints)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .quant = QuantRole::weighted,
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
