// IsInf: true where x is infinite.
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
  const Arg special = arg::fixed(Tensor::from<float>({NAN, INFINITY, -INFINITY, 0}, {4}));
  s.add({special});
  s.add({special}, {{"detect_negative", 0}});
  s.add({special}, {{"detect_positive", 0}});
  s.bad({arg::typed({2}, DType::i32)}, {}, "IsInf: input X is i32[2]; it takes");
}

}  // namespace

constinit const OpDef IsInf{
    .name = "IsInf",
    .doc = "True where x is infinite, of the signs asked for.",
    .inputs = {{"X", "T1"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T1", kFloats | kFloat8}, {"T2", kBool}},
    .attrs = {attr_i("detect_negative", 1), attr_i("detect_positive", 1)},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = not_differentiable("its result is a truth value"),
    .onnx = {.since = 10},
    .samples = samples,
};

}  // namespace tenon::op
