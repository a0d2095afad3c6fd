// Flatten: all axes before and all axes from `axis` merged into two.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"
#include "ops/shape/known_values.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const auto rank = static_cast<int64_t>(ctx.rank(0));
  const int64_t axis = ctx.i("axis");
  ctx.check(axis >= -rank && axis <= rank, "axis {} is outside {}; use {} to {}", axis, ctx.str(0),
            -rank, rank);
  const auto split = ctx.dims(0).begin() + (axis < 0 ? axis + rank : axis);
  ctx.output(0, {product({ctx.dims(0).begin(), split}), product({split, ctx.dims(0).end()})});
  keep_values(ctx);
}

Tensor view(std::span<const Tensor* const> inputs, const Attrs&, const tenon::Shape& output) {
  return inputs[0]->try_view(output);
}

TensorList grad(const GradContext& ctx) { return {ctx.reshape(ctx.grad(), 0)}; }

void samples(Samples& s) {
  s.add({arg::any({2, 3, 4})});
  s.add({arg::any({2, 3, 4})}, {{"axis", 0}});
  s.add({arg::any({2, 3, 4})}, {{"axis", 3}});
  s.add({arg::any({2, 3, 4})}, {{"axis", -1}});
  s.add({arg::any({0, 3})});
  s.add({arg::any({})}, {{"axis", 0}});
  s.bad({arg::any({2, 3})}, {{"axis", 3}}, "axis 3 is outside");
  s.bad({arg::any({})}, {}, "axis 1 is outside");
}

}  // namespace

constinit const OpDef Flatten{
    .name = "Flatten",
    .doc = "Two axes: the product of the sizes before `axis`, and of those from it on.",
    .inputs = {{"input", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType | kStored}},
    .attrs = {attr_i("axis", 1)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 11, .older = {{1, upgrade::as_is}}},
    .quant = QuantRole::passes,
    .view = view,
    .samples = samples,
};

}  // namespace tenon::op
