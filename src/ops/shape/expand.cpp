// Expand: NumPy broadcasting to a given shape.
#include <algorithm>

#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"
#include "ops/shape/known_values.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dim rank = list_size(ctx, 1);
  if (!ctx.values(1)) {
    if (!rank.is_const()) return ctx.output_unranked(0);
    return ctx.output(0, unknown_dims(std::max(ctx.rank(0), static_cast<size_t>(rank.value()))));
  }
  const Dims target = *ctx.values(1);
  for (const Dim& size : target)
    ctx.check(!size.is_const() || size.value() >= 0,
              "shape {} has the size {}; sizes are 0 or more, 1 keeps "
              "that of the input",
              str(target), size.str());
  try {
    ctx.output(0, broadcast(ctx.dims(0), target));
  } catch (const Error&) {
    ctx.fail(
        "{} does not broadcast to shape {}; sizes must be equal or one of them 1, from the last "
        "axis",
        ctx.str(0), str(target));
  }
  const size_t own = ctx.rank(0);
  const auto source = to_shape(ctx.dims(0));
  if (!source) return;
  move_values(ctx, 0, [&](const tenon::Shape& index) {
    tenon::Shape from(own, 0);
    for (size_t a = 0; a < own; ++a)
      from[a] = (*source)[a] == 1 ? 0 : index[index.rank() - own + a];
    return from;
  });
}

Tensor view(std::span<const Tensor* const> inputs, const Attrs&, const tenon::Shape& output) {
  return inputs[0]->expand(output);
}

TensorList grad(const GradContext& ctx) { return {sum_to(ctx.grad(), ctx.dims(0)), {}}; }

void samples(Samples& s) {
  s.add({arg::any({3, 1}), arg::ints({2, 3, 4})});
  s.add({arg::any({3, 4}), arg::ints({1})});
  s.add({arg::any({2, 1, 3}), arg::ints({1, 5, 1})});
  s.add({arg::any({}), arg::ints({2, 2})});
  s.add({arg::any({1, 3}), arg::ints({0, 3})});
  s.add({arg::any({2}), arg::ints({})});
  s.bad({arg::any({2, 3}), arg::ints({2, 4})}, {}, "does not broadcast to shape [2, 4]");
  s.bad({arg::any({2, 3}), arg::ints({-1, 3})}, {}, "has the size -1");
}

}  // namespace

constinit const OpDef Expand{
    .name = "Expand",
    .doc = "Repeats axes of size 1 so that the shape is the broadcast of the input's and `shape`.",
    .inputs = {{"input", "T"}, value("shape", "I")},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType}, {"I", kInt64}},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 8},
    .quant = QuantRole::passes,
    .view = view,
    .samples = samples,
};

}  // namespace tenon::op
