// FusedGemm: Gemm with an activation.
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

microsoft::Activation activation(const Call& call) {
  microsoft::Activation made{call.s("activation"), {}};
  for (const char* parameter : {"activation_alpha", "activation_beta"})
    if (call.has(parameter)) made.parameters.push_back(call.f(parameter));
  if (made.name == "Selu" && call.has("activation_gamma"))
    made.parameters.push_back(call.f("activation_gamma"));
  return made;
}

Attrs gemm_attrs(const Call& call) {
  return microsoft::pick(call.attrs, {"alpha", "beta", "transA", "transB"});
}

void infer(InferContext& ctx) {
  const TensorType y =
      microsoft::like(ctx, Gemm, gemm_attrs(ctx), {ctx.input(0), ctx.input(1), ctx.input(2)})[0];
  microsoft::check_activation(ctx, activation(ctx));
  ctx.output(0, y.dims);
}

double flops(const InferContext& ctx) {
  const Dims& a = ctx.dims(0);
  const Dim steps = a[0] * a[1] * ctx.dims(1)[ctx.i("transB") != 0 ? 0 : 1];
  return steps.is_const() ? 2.0 * static_cast<double>(steps.value()) : 0;
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor c = ctx.has_input(2) ? ctx.input(2) : Tensor();
  const Tensor y = Gemm(ctx.input(0), ctx.input(1), c, gemm_attrs(ctx));
  return {microsoft::activate(y, activation(ctx))};
}

void samples(Samples& s) {
  s.add({arg::any({2, 3}), arg::any({4, 3}), arg::any({4})},
        {{"transB", 1}, {"activation", "Tanh"}});
  s.add({arg::any({3, 2}), arg::any({3, 4})}, {{"transA", 1}, {"alpha", 0.5}});
  s.add({arg::any({2, 3}), arg::any({3, 4}), arg::any({2, 1})},
        {{"beta", 2.0}, {"activation", "LeakyRelu"}, {"activation_alpha", 0.3}})
      .grad = false;  // a kink
  s.add({arg::any({2, 3}), arg::any({3, 4}), arg::any({4})},
        {{"activation", "HardSigmoid"}, {"activation_alpha", 0.1}, {"activation_beta", 0.4}})
      .grad = false;
  s.bad({arg::any({2, 3}), arg::any({2, 4})}, {}, "FusedGemm: ");
  s.bad({arg::any({2, 3}), arg::any({3, 4})}, {{"activation", "Tahn"}}, "did you mean Tanh?");
}

}  // namespace

constinit const OpDef FusedGemm{
    .name = "FusedGemm",
    .doc = "activation(alpha * A * B + beta * C), where transA and transB transpose.",
    .inputs = {{"A", "T"}, {"B", "T"}, optional("C", "T")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_s("activation", ""), attr("activation_alpha", AttrType::f),
              attr("activation_beta", AttrType::f), attr("activation_gamma", AttrType::f),
              attr_f("alpha", 1), attr_f("beta", 1), attr_i("transA", 0), attr_i("transB", 0)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .quant = QuantRole::weighted,
    .flops = flops,
    .samples = samples,
};

}  // namespace tenon::op
