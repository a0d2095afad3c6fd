// LogSoftmaxGrad: the gradient of LogSoftmax from its output.
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/nn/precision.h"
#include "ops/nn/softmax_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

TensorList expand(const ExpandContext& ctx) {
  const DType type = compute_type(ctx.input(0).dtype());
  const Tensor dy = ctx.input(0).to(type), y = ctx.input(1).to(type);
  const Tensor total = dy.sum(softmax_rules::axes(ctx, y.rank()), true);
  return {(dy - Exp(y) * total).to(ctx.input(0).dtype())};
}

void samples(Samples& s) {
  s.add({arg::any({2, 5}), arg::range({2, 5}, -3, 0)});
  s.add({arg::any({2, 3, 4}), arg::range({2, 3, 4}, -3, 0)}, {{"axis", 1}});
  s.add({arg::any({0, 3}), arg::any({0, 3})});
  s.bad({arg::any({2, 5}), arg::any({5})}, {}, "LogSoftmaxGrad: dY is f32[2, 5] and Y is f32[5]");
  s.bad({arg::any({2, 5}), arg::any({2, 5})}, {{"axis", 2}}, "axis 2 is outside");
}

}  // namespace

constinit const OpDef LogSoftmaxGrad{
    .name = "LogSoftmaxGrad",
    .doc = "d(loss)/dX of LogSoftmax from dY and Y: dY - exp(Y) * sum(dY).",
    .inputs = {{"dY", "T"}, {"Y", "T"}},
    .outputs = {{"dX", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_i("axis", -1)},
    .infer = softmax_rules::infer_grad,
    .expand = expand,
    .grad = through_expansion,
    .onnx = no_onnx("a gradient; graphs that are exported have none"),
    .samples = samples,
};

}  // namespace tenon::op
