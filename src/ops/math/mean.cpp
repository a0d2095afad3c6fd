// Mean: the mean of several tensors.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Tensor share = ctx.grad() / static_cast<double>(ctx.input_count());
  TensorList grads = ctx.none();
  for (size_t i = 0; i < grads.size(); ++i)
    if (ctx.needs(i)) grads[i] = sum_to(share, ctx.dims(i));
  return grads;
}

TensorList expand(const ExpandContext& ctx) {
  Tensor sum = ctx.input(0);
  for (size_t i = 1; i < ctx.input_count(); ++i) sum = sum + ctx.input(i);
  return {sum / static_cast<double>(ctx.input_count())};
}

void samples(Samples& s) {
  s.add({arg::any({2, 3}), arg::any({2, 3}), arg::any({2, 3})});
  s.add({arg::any({2, 3}), arg::any({3}), arg::any({2, 1})});
  s.add({arg::any({3})});
  s.add({arg::any({}), arg::any({3})});
  s.add({arg::any({0, 3}), arg::any({3})});
  s.bad({arg::any({2, 3}), arg::any({2})}, {}, "Mean: shapes [2, 3] and [2] cannot be broadcast");
  s.bad({}, {}, "Mean: 0 inputs given");
}

}  // namespace

constinit const OpDef Mean{
    .name = "Mean",
    .doc = "The mean of the inputs, broadcast.",
    .inputs = {variadic("data_0", "T")},
    .outputs = {{"mean", "T"}},
    .types = {{"T", kFloats}},
    .infer = elementwise::variadic,
    .expand = expand,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 8, .older = {{1, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
