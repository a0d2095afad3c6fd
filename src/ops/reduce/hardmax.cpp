// Hardmax: 1 at the first largest element along an axis, 0 elsewhere.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.axis(ctx.i("axis"), ctx.rank(0));
  ctx.output(0, ctx.dims(0));
}

// Before opset 13 the axes from `axis` (1 by default) on were one.
TensorList flattened(const OnnxNode& node) {
  const AttrValue* axis = node.attrs.find("axis");
  const Tensor& x = node.inputs[0];
  const Tensor rows = Flatten(x, {{"axis", axis ? std::get<int64_t>(*axis) : int64_t{1}}});
  return {Reshape(Hardmax(rows, {{"axis", -1}}), Shape(x))};
}

void samples(Samples& s) {
  s.add({arg::distinct({2, 4})});
  s.add({arg::distinct({2, 3, 2})}, {{"axis", 1}});
  s.add({arg::fixed(Tensor::from<float>({1, 3, 3, 2, 2, 2}, {2, 3}))}, {{"axis", -1}});
  s.add({arg::any({0, 3})}, {{"axis", 0}});
  s.bad({arg::any({2, 3})}, {{"axis", 2}}, "axis 2 is outside");
}

}  // namespace

constinit const OpDef Hardmax{
    .name = "Hardmax",
    .doc = "1 for the first largest element along `axis`, 0 for the others.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_i("axis", -1)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("it is constant wherever it is continuous"),
    .onnx = {.since = 13, .older = {{1, flattened}}},
    .samples = samples,
};

}  // namespace tenon::op
