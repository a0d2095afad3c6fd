// Relu: max(x, 0).
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/logic/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor& y = ctx.output(0);
  return {Where(Greater(y, constant_like(y, 0)), ctx.grad(), constant_like(y, 0))};
}

void samples(Samples& s) {
  s.add({arg::distinct({2, 3})});
  s.add({arg::any({0, 3})});
  s.add({arg::any({})}).grad = false;  // may lie at the kink
  s.bad({arg::typed({2}, DType::boolean)}, {}, "Relu: input X is bool[2]");
}

}  // namespace

constinit const OpDef Relu{
    .name = "Relu",
    .doc = "max(x, 0), element by element.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats | kSignedInts}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = {grad, saves::output(0)},
    .onnx = {.since = 14, .older = {{1, upgrade::as_is}}},
    .quant = QuantRole::compute,
    .samples = samples,
};

}  // namespace tenon::op
