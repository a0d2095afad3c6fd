// CDist: distances between the rows of two matrices.
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/nn/windows.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) == 2 && ctx.rank(1) == 2 && !differ(ctx.dims(0)[1], ctx.dims(1)[1]),
            "A is {} and B is {}; they must be matrices with rows of one length", ctx.str(0),
            ctx.str(1));
  ctx.output(0, {ctx.dims(0)[0], ctx.dims(1)[0]});
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor difference = Unsqueeze(ctx.input(0), Tensor::ints({1})) - ctx.input(1);
  const Tensor square = (difference * difference).sum({2});
  return {ctx.s("metric") == "euclidean" ? Sqrt(square) : square};
}

void samples(Samples& s) {
  s.add({arg::range({3, 2}, -2, -1), arg::range({4, 2}, 1, 2)});
  s.add({arg::any({2, 3}), arg::any({1, 3})}, {{"metric", "sqeuclidean"}});
  s.add({arg::any({0, 3}), arg::any({2, 3})});
  s.bad({arg::any({2, 3}), arg::any({2, 2})}, {}, "CDist: A is f32[2, 3] and B is f32[2, 2]");
  s.bad({arg::any({2, 3}), arg::any({2, 3})}, {{"metric", "cosine"}}, "metric is 'cosine'");
}

}  // namespace

constinit const OpDef CDist{
    .name = "CDist",
    .doc = "The distance of each row of A from each row of B, or its square.",
    .inputs = {{"A", "T"}, {"B", "T"}},
    .outputs = {{"C", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_s("metric", "euclidean", "euclidean|sqeuclidean")},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
