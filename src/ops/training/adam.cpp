// Adam of ai.onnx.preview.training: one step for any number of tensors.
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/samples.h"
#include "ops/training/catalog.h"
#include "ops/training/preview_rules.h"

namespace tenon::op {

namespace {

using preview_rules::Trained;
using preview_rules::Update;

constexpr size_t kKinds = 4;

void infer(InferContext& ctx) { preview_rules::infer(ctx, kKinds); }

// Kingma and Ba, "Adam" (ICLR 2015). T = 0 is the very first update, which is not corrected.
Update step(const ExpandContext& ctx, const Tensor& rate, const Tensor& count,
            const Trained& trained) {
  const double alpha = ctx.f("alpha"), beta = ctx.f("beta");
  const Tensor& g = trained.gradient;
  const Tensor v = trained.states[0] * alpha + g * (1 - alpha);
  const Tensor h = trained.states[1] * beta + g * g * (1 - beta);
  // At T = 0 the quotient is 0/0, so it is asked for T = 1 and not used.
  const Tensor started = Greater(count, constant_like(count, 0));
  const Tensor power = Where(started, count, constant_like(count, 1));
  const auto rest = [&](double base) { return 1.0 - Pow(constant_like(count, base), power); };
  const Tensor corrected = Where(started, rate * Sqrt(rest(beta)) / rest(alpha), rate);
  const Tensor x =
      trained.x - preview_rules::scalar_like(corrected, g) * v / (Sqrt(h) + ctx.f("epsilon"));
  return {x * (1 - ctx.f("norm_coefficient_post")), {v, h}};
}

TensorList expand(const ExpandContext& ctx) { return preview_rules::expand(ctx, kKinds, step); }

void samples(Samples& s) {
  const Arg rate = arg::fixed(Tensor::scalar(0.1)), first = arg::int_scalar(0),
            later = arg::int_scalar(5), x = arg::any({2, 3}), h = arg::range({2, 3}, 0, 2);
  s.add({rate, first, x, x, x, h}).outputs = 3;
  s.add({rate, later, x, arg::any({4}), x, arg::any({4}), x, arg::any({4}), h,
         arg::range({4}, 0, 2)},
        {{"alpha", 0.95},
         {"beta", 0.85},
         {"norm_coefficient", 0.001},
         {"norm_coefficient_post", 0.01},
         {"epsilon", 0.01}})
      .outputs = 6;
  s.bad({rate, first, x, x, x}, {}, "Adam: 3 tensors behind R and T; give 4 for each");
  s.bad({rate, first, x, x, x, arg::any({6})}, {}, "input 5 is f32[6], but belongs to input 2");
}

}  // namespace

constinit const OpDef Adam{
    .name = "Adam",
    .doc =
        "One step of Adam: inputs are X..., their gradients, averages V and averages of squares H.",
    .inputs = {{"R", "R"}, {"T", "I"}, {"inputs", "T", Arity::variadic, false, true}},
    .outputs = {{"outputs", "T", Arity::variadic, false, true}},
    .types = {{"R", types(DType::f32, DType::f64)}, {"I", kInt64}, {"T", kFloats}},
    .attrs = {attr_f("alpha", 0.9), attr_f("beta", 0.999), attr_f("epsilon", 9.999999974752427e-07),
              attr_f("norm_coefficient", 0), attr_f("norm_coefficient_post", 0)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("an update is not differentiated"),
    .onnx = {.domain = "ai.onnx.preview.training", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
