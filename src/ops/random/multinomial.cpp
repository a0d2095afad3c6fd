// Multinomial: classes drawn by unnormalised log-probabilities.
#include <cmath>

#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/random/catalog.h"
#include "ops/random/random_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) == 2, "input is {}; give log-probabilities as [batch, classes]",
            ctx.str(0));
  const int64_t count = ctx.i("sample_size");
  ctx.check(count >= 0, "sample_size is {}; use 0 or more", count);
  const Dim& classes = ctx.dims(0)[1];
  ctx.check(!classes.is_const() || classes.value() > 0, "input is {}; give at least one class",
            ctx.str(0));
  ctx.output(0, {ctx.dims(0)[0], count}, random_rules::drawn_type(ctx, DType::i32, kIndex));
}

void samples(Samples& s) {
  s.add({arg::any({2, 4})});
  s.add({arg::any({3, 5})}, {{"sample_size", 6}, {"seed", 11.0}});
  s.add({arg::any({2, 3})}, {{"sample_size", 3}, {"dtype", static_cast<int64_t>(DType::i64)}});
  s.add({arg::fixed(Tensor::from<float>({-INFINITY, 700, -INFINITY}, {1, 3}))},
        {{"sample_size", 2}});
  s.add({arg::any({0, 3})});
  s.bad({arg::any({4})}, {}, "give log-probabilities as [batch, classes]");
  s.bad({arg::any({2, 0})}, {}, "give at least one class");
  s.bad({arg::any({2, 3})}, {{"dtype", static_cast<int64_t>(DType::f32)}},
        "dtype=1 is no type that it draws");
  s.bad({arg::fixed(Tensor::from<float>({-INFINITY, -INFINITY}, {1, 2}))}, {},
        "row 0 gives no class a probability");
}

}  // namespace

constinit const OpDef Multinomial{
    .name = "Multinomial",
    .doc = "Draws sample_size classes for each row of unnormalised log-probabilities.",
    .inputs = {{"input", "T1"}},
    .outputs = {{"output", "T2"}},
    .types = {{"T1", kFloats}, {"T2", kIndex}},
    .attrs = {attr_i("dtype", 6), attr_i("sample_size", 1), attr("seed", AttrType::f)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("classes are drawn, not computed"),
    .onnx = {.since = 7},
    .random = true,
    .samples = samples,
};

}  // namespace tenon::op
