// IsNaN: true where x is not a number.
#include <cmath>

#include "ops/infer.h"
#include "ops/logic/catalog.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void samples(Samples& s) {
  s.add({arg::any({2, 3})});
  s.add({arg::any({})});
  s.add({arg::any({0, 3})});
  s.add({arg::fixed(Tensor::from<float>({NAN, -NAN, INFINITY, 0}, {4}))});
  s.bad({arg::typed({2}, DType::i32)}, {}, "IsNaN: input X is i32[2]; it takes");
}

}  // namespace

constinit const OpDef IsNaN{
    .name = "IsNaN",
    .doc = "True where x is not a number.",
    .inputs = {{"X", "T1"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T1", kFloats | kFloat8}, {"T2", kBool}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = not_differentiable("its result is a truth value"),
    .onnx = {.since = 9},
    .samples = samples,
};

}  // namespace tenon::op
