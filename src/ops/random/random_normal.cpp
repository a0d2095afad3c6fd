// RandomNormal: normally distributed numbers of a given shape.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/random/catalog.h"
#include "ops/random/random_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void samples(Samples& s) {
  s.add({}, {{"shape", {2, 3}}});
  s.add({}, {{"shape", {5}}, {"seed", 3.0}, {"mean", 2.0}, {"scale", 0.5}});
  s.add({}, {{"shape", {3}}, {"dtype", static_cast<int64_t>(DType::f64)}});
  s.add({}, {{"shape", {0, 2}}, {"dtype", static_cast<int64_t>(DType::f16)}});
  s.bad({}, {}, "attribute shape is missing");
  s.bad({}, {{"shape", {2, -1}}}, "shape has a size of -1; use 0 or more");
  s.bad({}, {{"shape", {2}}, {"dtype", static_cast<int64_t>(DType::i32)}}, "dtype=6 is no type");
}

}  // namespace

constinit const OpDef RandomNormal{
    .name = "RandomNormal",
    .doc = "Numbers of a normal distribution with the given mean and deviation (scale).",
    .inputs = {},
    .outputs = {{"output", "T"}},
    .types = {{"T", kFloats}},
    .attrs = {attr_i("dtype", 1), attr_f("mean", 0), attr_f("scale", 1), attr("seed", AttrType::f),
              required("shape", AttrType::ints)},
    .infer = random_rules::infer_from_shape,
    .expand = primitive,
    .grad = not_differentiable("it has no inputs"),
    .onnx = {.since = 1},
    .random = true,
    .samples = samples,
};

}  // namespace tenon::op
