// RandomNormalLike: normally distributed numbers of an input's shape.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/random/catalog.h"
#include "ops/random/random_rules.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void samples(Samples& s) {
  s.add({arg::any({2, 3})}).types = kFloats;
  s.add({arg::any({5})}, {{"seed", 3.0}, {"mean", 2.0}, {"scale", 0.5}}).types = kFloats;
  s.add({arg::typed({2, 2}, DType::i64)}, {{"dtype", static_cast<int64_t>(DType::f64)}});
  s.add({arg::any({0, 3})}).types = kFloats;
  s.bad({arg::typed({2}, DType::i64)}, {}, "input is i64[2], which it cannot draw; give dtype");
  s.bad({arg::any({2})}, {{"dtype", static_cast<int64_t>(DType::i32)}}, "dtype=6 is no type");
}

}  // namespace

constinit const OpDef RandomNormalLike{
    .name = "RandomNormalLike",
    .doc =
        "Numbers of a normal distribution, as many as the input has, of its type unless dtype says "
        "another.",
    .inputs = {{"input", "T1"}},
    .outputs = {{"output", "T2"}},
    .types = {{"T1", kAnyType}, {"T2", kFloats}},
    .attrs = {attr("dtype", AttrType::i), attr_f("mean", 0), attr_f("scale", 1),
              attr("seed", AttrType::f)},
    .infer = random_rules::infer_like,
    .expand = primitive,
    .grad = not_differentiable("only the shape of its input matters"),
    .onnx = {.since = 1},
    .random = true,
    .samples = samples,
};

}  // namespace tenon::op
