// Max: the greatest of several tensors.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

Dim pick(const Dim& a, const Dim& b) {
  if (a.is_const() && b.is_const()) return std::max(a.value(), b.value());
  return a == b ? a : Dim::unknown();
}

void infer_shape(InferContext& ctx) { elementwise::variadic(ctx, pick); }

TensorList grad(const GradContext& ctx) {
  const Tensor& y = ctx.output(0);
  const Tensor zero = constant_like(y, 0);
  TensorList chosen;
  Tensor ties;
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    chosen.push_back(Equal(ctx.input(i), y));
    const Tensor one = chosen.back().to(y.dtype());
    ties = ties ? ties + one : one;
  }
  const Tensor share = ctx.grad() / ties;
  TensorList grads = ctx.none();
  for (size_t i = 0; i < grads.size(); ++i)
    if (ctx.needs(i)) grads[i] = sum_to(Where(chosen[i], share, zero), ctx.dims(i));
  return grads;
}

void samples(Samples& s) {
  s.add({arg::range({2, 3}, 3, 5), arg::range({2, 3}, 0.1, 2)});
  s.add({arg::range({2, 3}, 0.1, 1), arg::range({3}, 1.5, 2), arg::range({2, 1}, 2.5, 3)});
  s.add({arg::any({2, 3})});
  s.add({arg::range({}, 0.1, 1), arg::range({3}, 1.5, 2)});
  s.add({arg::range({4}, -3, 3), arg::range({3, 1}, -3, 3)}).grad = false;
  s.add({arg::any({0, 3}), arg::any({3})});
  s.add({arg::fixed(Tensor::from<float>({NAN, 1, -INFINITY, 2}, {4})),
         arg::fixed(Tensor::from<float>({1, NAN, 3, 2}, {4}))})
      .grad = false;
  s.add({arg::fixed(Tensor::from<uint64_t>({UINT64_MAX, 1}, {2})),
         arg::fixed(Tensor::from<uint64_t>({1, INT64_MAX}, {2}))});
  s.bad({arg::any({2, 3}), arg::any({2})}, {}, "Max: shapes [2, 3] and [2] cannot be broadcast");
}

}  // namespace

constinit const OpDef Max{
    .name = "Max",
    .doc = "The greatest of the inputs, broadcast; NaN wins, and ties share the gradient evenly.",
    .inputs = {variadic("data_0", "T")},
    .outputs = {{"max", "T"}},
    .types = {{"T", kNumeric}},
    .infer = infer_shape,
    .expand = primitive,
    .grad = {grad, saves::all_inputs | saves::output(0)},
    .onnx = {.since = 8, .older = {{1, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
