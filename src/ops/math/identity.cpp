// Identity: the input itself.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

void infer_shape(InferContext& ctx) {
  elementwise::same_shape(ctx, [](const Dim& x) { return x; });
  ctx.outputs()[0].element = ctx.input(0).element;
}

TensorList grad(const GradContext& ctx) { return {ctx.grad()}; }

// Another tensor over the same storage, so that each has a history of its own.
Tensor view(std::span<const Tensor* const> inputs, const Attrs&, const Shape&) {
  const Tensor& x = *inputs[0];
  return Tensor::over(x.storage(), x.offset(), x.shape(), x.strides(), x.dtype());
}

void samples(Samples& s) {
  s.add({arg::any({2, 3})});
  s.add({arg::any({})});
  s.add({arg::any({0, 3})});
  s.add({arg::fixed(Tensor::strings({"a", "", "long enough to be on the heap"}, {3}))});
  s.bad({}, {}, "Identity: 0 inputs given");
}

}  // namespace

constinit const OpDef Identity{
    .name = "Identity",
    .doc = "The input itself.",
    .inputs = {{"input", "V"}},
    .outputs = {{"output", "V"}},
    .types = {{"V", kAnyType | kStored | kContainers}},
    .infer = infer_shape,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 1},
    .quant = QuantRole::passes,
    .view = view,
    .samples = samples,
};

}  // namespace tenon::op
