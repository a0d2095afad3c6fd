// SkipSimplifiedLayerNormalization: RMSNormalization of a residual connection's sum.
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/microsoft/skip_normalization.h"
#include "ops/nn/catalog.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) { microsoft::infer_skip_normalization(ctx, 2); }

TensorList expand(const ExpandContext& ctx) {
  const Tensor sum = microsoft::skip_sum(ctx, 3);
  const Attrs attrs{{"epsilon", ctx.f("epsilon")}};
  if (ctx.output_count() == 1) return {RMSNormalization(sum, ctx.input(2), attrs)};
  TensorList outputs = SimplifiedLayerNormalization.all({sum, ctx.input(2)}, attrs, 2);
  const Tensor none = (outputs[1] * 0.0).to(DType::f32);  // there is no mean
  outputs = {outputs[0], none, outputs[1], sum};
  outputs.resize(ctx.output_count());
  return outputs;
}

void samples(Samples& s) {
  const auto x = [](const tenon::Shape& shape) { return arg::any(shape); };
  s.add({x({2, 3, 4}), x({2, 3, 4}), x({4}), x({4})}, {{"epsilon", 1e-5}});
  s.add({x({2, 3, 4}), x({1, 3, 4}), x({4})}, {{"epsilon", 0.1}});
  s.add({x({5, 4}), x({5, 4}), x({4})}, {{"epsilon", 0.1}});
  Sample& all = s.add({x({2, 3, 4}), x({3, 4}), x({4}), x({4})});
  all.outputs = 4;
  all.grad = false;  // f32 statistics are too coarse
  s.add({x({0, 3, 4}), x({0, 3, 4}), x({4})});
  s.bad({x({4}), x({4}), x({4})}, {}, "SkipSimplifiedLayerNormalization: input is f32[4]");
  s.bad({x({2, 3, 4}), x({2, 3, 5}), x({4})}, {}, "skip is f32[2, 3, 5]");
  s.bad({x({2, 3, 4}), x({2, 3, 4}), x({4}), x({3})}, {}, "bias is f32[3]");
}

}  // namespace

constinit const OpDef SkipSimplifiedLayerNormalization{
    .name = "SkipSimplifiedLayerNormalization",
    .doc = "RMSNormalization over the last axis of input + skip + bias, which is output 3.",
    .inputs = {{"input", "T"}, {"skip", "T"}, {"gamma", "T"}, optional("bias", "T")},
    .outputs = {{"output", "T"},
                optional("mean", "U"),
                optional("inv_std_var", "U"),
                optional("input_skip_bias_sum", "T")},
    .types = {{"T", kFloats}, {"U", kFloat32}},
    .attrs = {attr_f("epsilon", 1e-12)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
