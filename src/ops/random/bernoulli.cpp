// Bernoulli: ones with given probabilities, zeros otherwise.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/random/catalog.h"
#include "ops/random/random_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.output(0, ctx.dims(0), random_rules::drawn_type(ctx, ctx.dtype(0), kNumeric | kBool));
}

void samples(Samples& s) {
  s.add({arg::range({2, 5}, 0, 1)});
  s.add({arg::range({7}, 0, 1)}, {{"seed", 5.0}, {"dtype", static_cast<int64_t>(DType::boolean)}});
  s.add({arg::range({3}, 0.3, 0.6)}, {{"dtype", static_cast<int64_t>(DType::i32)}});
  s.add({arg::fixed(Tensor::from<float>({0, 1, 0, 1}, {4}))});
  s.add({arg::range({0, 3}, 0, 1)});
  s.bad({arg::fixed(Tensor::from<float>({1.5}, {1}))}, {}, "probability 1.5 is outside 0 to 1");
  s.bad({arg::range({2}, 0, 1)}, {{"dtype", static_cast<int64_t>(DType::string)}},
        "dtype=8 is no type that it draws");
}

}  // namespace

constinit const OpDef Bernoulli{
    .name = "Bernoulli",
    .doc = "1 with the probability that each element of the input is, else 0.",
    .inputs = {{"input", "T1"}},
    .outputs = {{"output", "T2"}},
    .types = {{"T1", kFloats}, {"T2", kNumeric | kBool}},
    .attrs = {attr("dtype", AttrType::i), attr("seed", AttrType::f)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("its output jumps from 0 to 1"),
    .onnx = {.since = 15},
    .random = true,
    .samples = samples,
};

}  // namespace tenon::op
