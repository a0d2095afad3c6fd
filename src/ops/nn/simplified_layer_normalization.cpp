// SimplifiedLayerNormalization: RMSNormalization as ONNX Runtime's optimiser writes it into files,
// in ai.onnx's domain but not of the standard.
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/norm_rules.h"
#include "ops/nn/precision.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

size_t first_axis(const Call& call, size_t rank) {
  return static_cast<size_t>(normalize_axis(call.i("axis"), rank, call.op.name));
}

void infer(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  const size_t first = first_axis(ctx, x.size());
  norm_rules::check_broadcasts(ctx, 1, "scale", x);
  Dims reduced = x;
  for (size_t i = first; i < x.size(); ++i) reduced[i] = 1;
  ctx.output(0, x);
  ctx.output(1, reduced, norm_rules::stash_type(ctx));
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Attrs attrs{{"axis", ctx.i("axis")}, {"epsilon", ctx.f("epsilon")}};
  TensorList outputs{RMSNormalization(x, ctx.input(1), attrs)};
  if (ctx.output_count() == 1) return outputs;
  const Tensor wide = x.to(compute_type(x.dtype()));
  const Tensor square =
      (wide * wide).mean(norm_rules::axes_from(first_axis(ctx, x.rank()), x.rank()), true);
  outputs.push_back(Reciprocal(Sqrt(square + ctx.f("epsilon"))).to(norm_rules::stash_type(ctx)));
  return outputs;
}

TensorList upgrade_1(const OnnxNode& node) {
  if (node.output_count == 1) return RMSNormalization.all(node.inputs, node.attrs);
  return SimplifiedLayerNormalization.all(node.inputs, node.attrs, node.output_count);
}

void samples(Samples& s) {
  const auto scale = [](const tenon::Shape& shape) { return arg::typed(shape, DType::f64); };
  s.add({arg::any({2, 3, 4}), arg::any({4})}).types = kFloats - types(DType::f64);
  s.add({arg::any({2, 3, 4}), scale({4})}).types = types(DType::f64);
  s.add({arg::any({2, 3, 4}), scale({3, 4})}, {{"axis", 1}, {"epsilon", 0.1}}).types =
      types(DType::f64);
  Sample& both = s.add({arg::any({2, 4}), arg::any({4})});
  both.outputs = 2;
  both.grad = false;
  s.add({arg::any({0, 4}), arg::any({4})});
  s.bad({arg::any({2, 5}), arg::any({5})}, {{"axis", 2}},
        "SimplifiedLayerNormalization: axis 2 is outside");
  s.bad({arg::any({2, 5}), arg::any({4})}, {}, "scale is f32[4], which does not broadcast");
  s.bad({arg::any({2, 5}), arg::any({5})}, {{"stash_type", 2}}, "stash_type is 2");
}

}  // namespace

constinit const OpDef SimplifiedLayerNormalization{
    .name = "SimplifiedLayerNormalization",
    .doc =
        "scale * X / sqrt(mean(X^2) + epsilon), with the mean over the axes from `axis` on: "
        "RMSNormalization as ONNX Runtime writes it.",
    .inputs = {{"X", "T"}, {"scale", "V"}},
    .outputs = {{"Y", "V"}, optional("inv_std_var", "U")},
    .types = {{"T", kFloats}, {"V", kFloats}, {"U", types(DType::f32, DType::bf16, DType::f64)}},
    .attrs = {attr_i("axis", -1), attr_f("epsilon", 1e-5), attr_i("stash_type", 1)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    // Written out on export, and read as what it is.
    .onnx = {.since = 23, .older = {{1, upgrade_1}}},
    .samples = samples,
};

}  // namespace tenon::op
