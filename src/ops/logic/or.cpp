// Or: true where either is.
#include "ops/infer.h"
#include "ops/logic/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void samples(Samples& s) {
  const auto x = [](const Shape& shape) { return arg::typed(shape, DType::boolean, 0, 1); };
  s.add({x({2, 3}), x({2, 3})});
  s.add({x({2, 1}), x({3})});
  s.add({x({}), x({3})});
  s.add({x({0, 3}), x({3})});
  s.bad({x({2, 3}), x({2})}, {}, "Or: shapes [2, 3] and [2] cannot be broadcast");
  s.bad({arg::typed({2}, DType::f32), arg::any({2})}, {}, "Or: input A is f32[2]; it takes bool");
}

}  // namespace

constinit const OpDef Or{
    .name = "Or",
    .doc = "True where either is.",
    .inputs = {{"A", "T"}, {"B", "T"}},
    .outputs = {{"C", "T1"}},
    .types = {{"T", kBool}, {"T1", kBool}},
    .infer = infer_rules::broadcast_all,
    .expand = primitive,
    .grad = not_differentiable("truth values have no slope"),
    .onnx = {.since = 7, .older = {{1, upgrade::legacy_broadcast}}},
    .samples = samples,
};

}  // namespace tenon::op
