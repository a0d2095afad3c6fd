// Div: A / B.
#include <cstdint>

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"
#include "ops/onnx_node.h"

namespace tenon::op {

namespace {

// Rounding down and toward 0 agree where nothing is negative.
Dim divide(const Dim& a, const Dim& b) {
  if (!b.is_const() || b.value() == 0) return Dim::unknown();
  if (a.is_const()) return b.value() == -1 ? Dim(0) - a : Dim(a.value() / b.value());
  if (b.value() < 0 || !a.is_nonnegative()) return Dim::unknown();
  return a.floor_div(b);
}

void infer_shape(InferContext& ctx) { elementwise::broadcast(ctx, divide); }

TensorList grad(const GradContext& ctx) {
  TensorList grads = ctx.none();
  const Tensor by_a = ctx.grad() / ctx.input(1);
  if (ctx.needs(0)) grads[0] = sum_to(by_a, ctx.dims(0));
  if (ctx.needs(1)) grads[1] = sum_to(-(by_a * ctx.output(0)), ctx.dims(1));
  return grads;
}

void samples(Samples& s) {
  elementwise::binary_samples(s, 0.5, 3);
  s.add({arg::range({3}, -3, 3), arg::range({3}, -3, -0.5)}).types = kFloats | kSignedInts;
  s.add({arg::fixed(Tensor::from<int32_t>({7, -7, 7, INT32_MIN, 1}, {5})),
         arg::fixed(Tensor::from<int32_t>({2, 2, -2, -1, 0}, {5}))});
  s.add({arg::fixed(Tensor::from<int64_t>({-7, INT64_MIN, 1}, {3})),
         arg::fixed(Tensor::from<int64_t>({2, -1, 0}, {3}))});
  s.add({arg::fixed(Tensor::from<uint64_t>({UINT64_MAX, 5}, {2})),
         arg::fixed(Tensor::from<uint64_t>({2, 0}, {2}))});
}

}  // namespace

constinit const OpDef Div{
    .name = "Div",
    .doc = "A / B, broadcast; integers truncate toward 0, and division by an integer 0 gives 0.",
    .inputs = {{"A", "T"}, {"B", "T"}},
    .outputs = {{"C", "T"}},
    .types = {{"T", kNumeric}},
    .infer = infer_shape,
    .expand = primitive,
    .grad = {grad, saves::input(1) | saves::output(0)},
    .onnx = {.since = 7, .older = {{1, upgrade::legacy_broadcast}}},
    .samples = samples,
};

}  // namespace tenon::op
