// BitwiseNot: every bit turned.
#include "ops/infer.h"
#include "ops/logic/catalog.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void samples(Samples& s) {
  s.add({arg::range({2, 3}, -100, 100)});
  s.add({arg::any({})});
  s.add({arg::any({0, 3})});
  s.bad({arg::typed({2}, DType::f32)}, {}, "BitwiseNot: input X is f32[2]; it takes");
}

}  // namespace

constinit const OpDef BitwiseNot{
    .name = "BitwiseNot",
    .doc = "Every bit turned.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kInts}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = not_differentiable("bits have no slope"),
    .onnx = {.since = 18},
    .samples = samples,
};

}  // namespace tenon::op
