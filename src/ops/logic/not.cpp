// Not: true where x is not.
#include "ops/infer.h"
#include "ops/logic/catalog.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void samples(Samples& s) {
  s.add({arg::typed({2, 3}, DType::boolean, 0, 1)});
  s.add({arg::typed({}, DType::boolean, 0, 1)});
  s.add({arg::typed({0}, DType::boolean, 0, 1)});
  s.bad({arg::typed({2}, DType::f32)}, {}, "Not: input X is f32[2]; it takes bool");
}

}  // namespace

constinit const OpDef Not{
    .name = "Not",
    .doc = "True where x is not.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kBool}},
    .infer = infer_rules::same_shape,
    .expand = primitive,
    .grad = not_differentiable("truth values have no slope"),
    .onnx = {.since = 1},
    .samples = samples,
};

}  // namespace tenon::op
