// BitwiseAnd: the bits set in both.
#include "ops/logic/catalog.h"
#include "ops/math/elementwise.h"

namespace tenon::op {

namespace {

void samples(Samples& s) {
  elementwise::binary_samples(s, -100, 100, {}, true, DType::i32);
  s.bad({arg::typed({2}, DType::f32), arg::typed({2}, DType::f32)}, {},
        "BitwiseAnd: input A is f32[2]; it takes");
}

}  // namespace

constinit const OpDef BitwiseAnd{
    .name = "BitwiseAnd",
    .doc = "The bits set in both, broadcast.",
    .inputs = {{"A", "T"}, {"B", "T"}},
    .outputs = {{"C", "T"}},
    .types = {{"T", kInts}},
    .infer = infer_rules::broadcast_all,
    .expand = primitive,
    .grad = not_differentiable("bits have no slope"),
    .onnx = {.since = 18},
    .samples = samples,
};

}  // namespace tenon::op
