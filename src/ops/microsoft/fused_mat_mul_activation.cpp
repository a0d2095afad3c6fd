// FusedMatMulActivation: FusedMatMul with an activation.
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/fused_mat_mul.h"
#include "ops/microsoft/microsoft_rules.h"

namespace tenon::op {

namespace {

microsoft::Activation activation(const Call& call) {
  microsoft::Activation made{call.s("activation"), {}};
  for (const char* parameter : {"activation_alpha", "activation_beta", "activation_gamma"})
    if (call.has(parameter)) made.parameters.push_back(call.f(parameter));
  return made;
}

void infer(InferContext& ctx) {
  microsoft::check_activation(ctx, activation(ctx));
  ctx.output(0, microsoft::infer_product(ctx));
}

TensorList expand(const ExpandContext& ctx) {
  return {microsoft::activate(microsoft::product(ctx), activation(ctx))};
}

void samples(Samples& s) {
  s.add({arg::any({2, 3}), arg::any({3, 4})}, {{"activation", "Tanh"}});
  s.add({arg::any({2, 3, 2}), arg::any({2, 4, 3})},
        {{"activation", "Sigmoid"}, {"transA", 1}, {"transB", 1}, {"alpha", 0.5}});
  s.add({arg::any({4, 2, 3}), arg::any({2, 3, 5})},
        {{"activation", "LeakyRelu"}, {"activation_alpha", 0.1}, {"transBatchA", 1}})
      .grad = false;  // a kink
  s.bad({arg::any({2, 3}), arg::any({3, 4})}, {}, "attribute activation is missing");
  s.bad({arg::any({2, 3}), arg::any({3, 4})}, {{"activation", "Tan"}},
        "FusedMatMulActivation: activation is 'Tan'");
}

}  // namespace

constinit const OpDef FusedMatMulActivation{
    .name = "FusedMatMulActivation",
    .doc = "activation(alpha * A * B) with the transpositions of FusedMatMul.",
    .inputs = {{"A", "T"}, {"B", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {required("activation", AttrType::s), attr("activation_alpha", AttrType::f),
              attr("activation_beta", AttrType::f), attr("activation_gamma", AttrType::f),
              attr_f("alpha", 1), attr_i("transA", 0), attr_i("transB", 0),
              attr_i("transBatchA", 0), attr_i("transBatchB", 0)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .quant = QuantRole::weighted,
    .flops = microsoft::product_flops,
    .samples = samples,
};

}  // namespace tenon::op
