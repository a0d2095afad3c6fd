// Momentum of ai.onnx.preview.training: one step for any number of tensors.
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/samples.h"
#include "ops/training/catalog.h"
#include "ops/training/preview_rules.h"

namespace tenon::op {

namespace {

using preview_rules::Trained;
using preview_rules::Update;

constexpr size_t kKinds = 3;

void infer(InferContext& ctx) { preview_rules::infer(ctx, kKinds); }

// At T = 0 the gradient counts in full, whatever beta is.
Update step(const ExpandContext& ctx, const Tensor& rate, const Tensor& count,
            const Trained& trained) {
  const double alpha = ctx.f("alpha");
  const Tensor& g = trained.gradient;
  const Tensor weight = Where(Greater(count, constant_like(count, 0)),
                              constant_like(count, ctx.f("beta")), constant_like(count, 1));
  const Tensor v = trained.states[0] * alpha + g * preview_rules::scalar_like(weight, g);
  const Tensor way = ctx.s("mode") == "nesterov" ? g + v * alpha : v;
  return {trained.x - preview_rules::scalar_like(rate, g) * way, {v}};
}

TensorList expand(const ExpandContext& ctx) { return preview_rules::expand(ctx, kKinds, step); }

void samples(Samples& s) {
  const Arg rate = arg::fixed(Tensor::scalar(0.1)), first = arg::int_scalar(0),
            later = arg::int_scalar(5), x = arg::any({2, 3});
  const Attrs attrs{
      {"alpha", 0.95}, {"beta", 0.8}, {"mode", "standard"}, {"norm_coefficient", 0.001}};
  s.add({rate, first, x, x, x}, attrs).outputs = 2;
  s.add({rate, later, x, arg::any({4}), x, arg::any({4}), x, arg::any({4})}, attrs).outputs = 4;
  s.add({rate, later, x, x, x}, attrs.with({"mode", "nesterov"})).outputs = 2;
  s.bad({rate, first, x, x, x}, {}, "Momentum: attribute alpha is missing");
  s.bad({rate, first, x, x, x}, attrs.with({"mode", "heavy"}), "use one of nesterov, standard");
  s.bad({rate, first, x, x}, attrs, "2 tensors behind R and T; give 3 for each");
}

}  // namespace

constinit const OpDef Momentum{
    .name = "Momentum",
    .doc =
        "One step of gradient descent with momentum, or Nesterov's: inputs are X..., gradients and "
        "V.",
    .inputs = {{"R", "R"}, {"T", "I"}, {"inputs", "T", Arity::variadic, false, true}},
    .outputs = {{"outputs", "T", Arity::variadic, false, true}},
    .types = {{"R", types(DType::f32, DType::f64)}, {"I", kInt64}, {"T", kFloats}},
    .attrs =
        {required("alpha", AttrType::f),
         required("beta", AttrType::f),
         {.name = "mode", .type = AttrType::s, .required = true, .choices = "nesterov|standard"},
         required("norm_coefficient", AttrType::f)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("an update is not differentiated"),
    .onnx = {.domain = "ai.onnx.preview.training", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
