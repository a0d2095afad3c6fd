// Pow: X to the power Y.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

// Before opset 12 both inputs have one type.
void lower_types(OnnxNode& node) {
  const DType x = node.inputs.at(0).dtype(), y = node.inputs.at(1).dtype();
  TENON_CHECK(
      x == y, unsupported,
      "Pow {}: X is {} but Y is {}, which opset {} does not have; export to opset 12 or later",
      node.name, name(x), name(y), node.opset);
}

// d(X^Y)/dX = Y * X^(Y-1); where Y is 0 the power is taken as 0, so that 0 to the -1 never arises.
Tensor grad_base(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor& y = ctx.input(1);
  const Tensor one = constant_like(y, 1);
  const Tensor less = Where(Equal(y, constant_like(y, 0)), one, y) - one;
  const Tensor factor = y.dtype() == x.dtype() ? y : y.to(x.dtype());
  return ctx.grad() * factor * Pow(x, less);
}

// d(X^Y)/dY = X^Y * ln(X); 0 where X is 0 and Y is not negative, its limit from above.
Tensor grad_exponent(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor& y = ctx.input(1);
  const Tensor flat = And(Equal(x, constant_like(x, 0)), GreaterOrEqual(y, constant_like(y, 0)));
  const Tensor g = ctx.grad() * ctx.output(0) * Log(Where(flat, constant_like(x, 1), x));
  return g.dtype() == y.dtype() ? g : g.to(y.dtype());
}

TensorList grad(const GradContext& ctx) {
  TensorList grads = ctx.none();
  if (ctx.needs(0)) grads[0] = sum_to(grad_base(ctx), ctx.dims(0));
  if (ctx.needs(1) && is_float(ctx.dtype(1))) grads[1] = sum_to(grad_exponent(ctx), ctx.dims(1));
  return grads;
}

void samples(Samples& s) {
  elementwise::binary_samples(s, 0.4, 2.4);
  s.add({arg::range({2, 3}, 0.4, 2), arg::typed({3}, DType::i32, 0, 3)});
  s.add({arg::range({2, 3}, -2, 2), arg::typed({3}, DType::u8, 1, 3)});
  s.add({arg::range({2, 3}, 0.4, 2), arg::typed({}, DType::f64, -2, 2)}).types = kFloats;
  s.add({arg::range({2}, 1, 3), arg::typed({2}, DType::f32, 0.5, 2)}).types = kFloats;
  s.add({arg::fixed(Tensor::from<int32_t>({-1, 2, 1, 0, -3, 3}, {6})),
         arg::fixed(Tensor::from<int32_t>({-3, -1, -2, -1, 3, 40}, {6}))});
  s.bad({arg::any({2}), arg::typed({2}, DType::boolean)}, {}, "Pow: input Y is bool[2]");
}

}  // namespace

constinit const OpDef Pow{
    .name = "Pow",
    .doc = "X to the power Y, broadcast, in the type of X; 1 / 0 in integers gives 0.",
    .inputs = {{"X", "T"}, {"Y", "T1"}},
    .outputs = {{"Z", "T"}},
    .types = {{"T", kFloats | kIndex}, {"T1", kNumeric}},
    .infer = infer_rules::broadcast_all,
    .expand = primitive,
    .grad = {grad, saves::all_inputs | saves::output(0)},
    .onnx = {.since = 12,
             .older = {{1, upgrade::legacy_broadcast}, {7, upgrade::as_is}},
             .lower = lower_types},
    .samples = samples,
};

}  // namespace tenon::op
