// SoftmaxGrad: the gradient of Softmax from its output.
#include "ops/nn/catalog.h"
#include "ops/nn/precision.h"
#include "ops/nn/softmax_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

TensorList expand(const ExpandContext& ctx) {
  const DType type = compute_type(ctx.input(0).dtype());
  const Tensor dy = ctx.input(0).to(type), y = ctx.input(1).to(type);
  const Tensor dot = (dy * y).sum(softmax_rules::axes(ctx, y.rank()), true);
  return {(y * (dy - dot)).to(ctx.input(0).dtype())};
}

void samples(Samples& s) {
  s.add({arg::any({2, 5}), arg::range({2, 5}, 0, 1)});
  s.add({arg::any({2, 3, 4}), arg::range({2, 3, 4}, 0, 1)}, {{"axis", 1}});
  s.add({arg::any({0, 3}), arg::any({0, 3})});
  s.bad({arg::any({2, 5}), arg::any({2, 4})}, {},
        "SoftmaxGrad: dY is f32[2, 5] and Y is f32[2, 4]");
  s.bad({arg::any({2, 5}), arg::any({2, 5})}, {{"axis", 2}}, "axis 2 is outside");
}

}  // namespace

constinit const OpDef SoftmaxGrad{
    .name = "SoftmaxGrad",
    .doc = "d(loss)/dX of Softmax from dY and Y: Y * (dY - sum(dY * Y)).",
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
