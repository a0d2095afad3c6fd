// Adagrad of ai.onnx.preview.training: one step for any number of tensors.
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

// Duchi, Hazan and Singer, "Adaptive Subgradient Methods" (JMLR 12, 2011).
Update step(const ExpandContext& ctx, const Tensor& rate, const Tensor& count,
            const Trained& trained) {
  const Tensor now = rate / (count * ctx.f("decay_factor") + 1.0);
  const Tensor& g = trained.gradient;
  const Tensor squares = trained.states[0] + g * g;
  const Tensor x =
      trained.x - preview_rules::scalar_like(now, g) * g / (Sqrt(squares) + ctx.f("epsilon"));
  return {x, {squares}};
}

TensorList expand(const ExpandContext& ctx) { return preview_rules::expand(ctx, kKinds, step); }

void samples(Samples& s) {
  const Arg rate = arg::fixed(Tensor::scalar(0.1)), first = arg::int_scalar(0),
            later = arg::int_scalar(5), x = arg::any({2, 3}), h = arg::range({2, 3}, 0, 2);
  s.add({rate, first, x, x, h}).outputs = 2;
  s.add({rate, later, x, arg::any({4}), x, arg::any({4}), h, arg::range({4}, 0, 2)},
        {{"decay_factor", 0.1}, {"norm_coefficient", 0.001}, {"epsilon", 1e-5}})
      .outputs = 4;
  s.add({arg::fixed(Tensor::full({1}, 0.1)), arg::ints({3}), arg::any({}), arg::any({}),
         arg::range({}, 0, 2)})
      .outputs = 2;
  s.bad({arg::fixed(Tensor::full({2}, 0.1)), first, x, x, h}, {},
        "Adagrad: R is f32[2]; it must be a scalar");
  s.bad({rate, first, x, x}, {}, "2 tensors behind R and T; give 3 for each");
  s.bad({rate, first, x, x, arg::any({2, 2})}, {}, "input 4 is f32[2, 2], but belongs to input 2");
}

}  // namespace

constinit const OpDef Adagrad{
    .name = "Adagrad",
    .doc = "One step of Adagrad: inputs are X..., their gradients and their sums of squares H.",
    .inputs = {{"R", "R"}, {"T", "I"}, {"inputs", "T", Arity::variadic, false, true}},
    .outputs = {{"outputs", "T", Arity::variadic, false, true}},
    .types = {{"R", types(DType::f32, DType::f64)}, {"I", kInt64}, {"T", kFloats}},
    .attrs = {attr_f("decay_factor", 0), attr_f("epsilon", 9.999999974752427e-07),
              attr_f("norm_coefficient", 0)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("an update is not differentiated"),
    .onnx = {.domain = "ai.onnx.preview.training", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
