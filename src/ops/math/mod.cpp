// Mod: what remains of A / B.
#include <cstdint>

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

// Rounding does not matter where nothing is negative.
Dim remainder(const Dim& a, const Dim& b) {
  if (!b.is_const() || b.value() <= 0 || !a.is_nonnegative()) return Dim::unknown();
  return a.is_const() ? Dim(a.value() % b.value()) : a - a.floor_div(b) * b;
}

void infer_shape(InferContext& ctx) {
  const int64_t fmod = ctx.i("fmod");
  ctx.check(fmod == 0 || fmod == 1, "fmod is {}; use 0 (sign of B) or 1 (sign of A)", fmod);
  ctx.check(fmod == 1 || !is_float(ctx.dtype(0)), "A is {} and fmod is 0; floats need fmod = 1",
            ctx.str(0));
  elementwise::broadcast(ctx, remainder);
}

TensorList grad(const GradContext& ctx) {
  // A - B * trunc(A / B), where the truncated quotient is constant between its jumps.
  TensorList grads = ctx.none();
  if (ctx.needs(0)) grads[0] = sum_to(ctx.grad(), ctx.dims(0));
  if (ctx.needs(1)) {
    const Tensor quotient = Round((ctx.input(0) - ctx.output(0)) / ctx.input(1));
    grads[1] = sum_to(-(ctx.grad() * quotient), ctx.dims(1));
  }
  return grads;
}

void samples(Samples& s) {
  elementwise::binary_samples(s, 1, 5, {{"fmod", 1}}, false);
  // Quotients between whole numbers, so that no step lies within reach of a finite difference.
  s.add({arg::range({2, 3}, 4.2, 5.8), arg::range({3}, 2, 2.05)}, {{"fmod", 1}});
  s.add({arg::range({2, 3}, -5.8, -4.2), arg::range({3}, 2, 2.05)}, {{"fmod", 1}});
  s.add({arg::range({2, 3}, -9, 9), arg::range({3}, 1, 5)}).types = kInts;
  s.add({arg::range({2, 3}, -9, 9), arg::range({2, 1}, -5, -1)}).types = kSignedInts;
  s.add({arg::fixed(Tensor::from<int32_t>({7, INT32_MIN}, {2})),
         arg::fixed(Tensor::from<int32_t>({0, -1}, {2}))});
  s.bad({arg::typed({2}, DType::f32), arg::typed({2}, DType::f32)}, {}, "floats need fmod = 1");
  s.bad({arg::typed({2}, DType::i32), arg::typed({2}, DType::i32)}, {{"fmod", 2}},
        "fmod is 2; use 0");
}

}  // namespace

constinit const OpDef Mod{
    .name = "Mod",
    .doc =
        "The remainder of A / B: with the sign of B, or of A when fmod is 1; 0 for an integer B of "
        "0.",
    .inputs = {{"A", "T"}, {"B", "T"}},
    .outputs = {{"C", "T"}},
    .types = {{"T", kNumeric}},
    .attrs = {attr_i("fmod", 0)},
    .infer = infer_shape,
    .expand = primitive,
    .grad = {grad, saves::all_inputs | saves::output(0)},
    .onnx = {.since = 10},
    .samples = samples,
};

}  // namespace tenon::op
