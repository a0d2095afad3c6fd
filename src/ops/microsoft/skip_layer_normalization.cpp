// SkipLayerNormalization: LayerNormalization of a residual connection's sum.
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/microsoft/skip_normalization.h"
#include "ops/nn/catalog.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"

namespace tenon::microsoft {

void infer_skip_normalization(InferContext& ctx, size_t vectors) {
  const Dims& x = ctx.dims(0);
  const Dims& skip = ctx.dims(1);
  ctx.check(x.size() == 2 || x.size() == 3,
            "input is {}; it must be [batch, length, width] or [tokens, width]", ctx.str(0));
  bool fits = skip.size() >= 2 && skip.size() <= x.size();
  for (size_t i = 0; fits && i < skip.size(); ++i) {
    const Dim& size = x[x.size() - skip.size() + i];
    const bool is_batch = x.size() - skip.size() + i == 0 && x.size() == 3;
    fits = !differ(skip[i], size) || (is_batch && skip[i] == Dim(1));
  }
  ctx.check(fits, "skip is {}; it must have the shape of input, {}, but for the batch", ctx.str(1),
            str(x));
  for (size_t i = 2; i < 2 + vectors; ++i) check_bias(ctx, i, x.back());
  Dims reduced = x;
  reduced.back() = 1;
  ctx.output(0, x);
  ctx.output(1, reduced, DType::f32);
  ctx.output(2, reduced, DType::f32);
  ctx.output(3, x);
}

Tensor skip_sum(const ExpandContext& ctx, size_t bias) {
  const Tensor sum = ctx.input(0) + ctx.input(1);
  return ctx.has_input(bias) ? sum + ctx.input(bias) : sum;
}

}  // namespace tenon::microsoft

namespace tenon::op {

namespace {

void infer(InferContext& ctx) { microsoft::infer_skip_normalization(ctx, 3); }

TensorList expand(const ExpandContext& ctx) {
  const Tensor sum = microsoft::skip_sum(ctx, 4);
  const Tensor beta = ctx.has_input(3) ? ctx.input(3) : Tensor();
  TensorList outputs = LayerNormalization.all(
      {sum, ctx.input(2), beta}, {{"epsilon", ctx.f("epsilon")}}, ctx.output_count() > 1 ? 3 : 1);
  outputs.resize(3);
  outputs.push_back(sum);
  outputs.resize(ctx.output_count());
  return outputs;
}

void samples(Samples& s) {
  const auto x = [](const tenon::Shape& shape) { return arg::any(shape); };
  const Attrs epsilon{{"epsilon", 1e-5}};
  s.add({x({2, 3, 4}), x({2, 3, 4}), x({4}), x({4}), x({4})}, epsilon);
  s.add({x({2, 3, 4}), x({1, 3, 4}), x({4})}, {{"epsilon", 0.1}});
  s.add({x({2, 3, 4}), x({3, 4}), x({4}), arg::none(), x({4})}, {{"epsilon", 0.1}});
  Sample& all = s.add({x({3, 5}), x({3, 5}), x({5}), x({5})});
  all.outputs = 4;
  all.grad = false;  // f32 statistics are too coarse
  s.add({x({0, 3, 4}), x({0, 3, 4}), x({4})});
  s.bad({x({4}), x({4}), x({4})}, {}, "SkipLayerNormalization: input is f32[4]");
  s.bad({x({2, 3, 4}), x({2, 1, 4}), x({4})}, {}, "skip is f32[2, 1, 4]");
  s.bad({x({2, 3, 4}), x({2, 3, 4}), x({3})}, {}, "gamma is f32[3]; it must have shape [4]");
}

}  // namespace

constinit const OpDef SkipLayerNormalization{
    .name = "SkipLayerNormalization",
    .doc = "LayerNormalization over the last axis of input + skip + bias, which is output 3.",
    .inputs = {{"input", "T"},
               {"skip", "T"},
               {"gamma", "T"},
               optional("beta", "T"),
               optional("bias", "T")},
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
