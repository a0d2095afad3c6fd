// Size: the number of elements of a tensor.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.output(0, Dims());
  ctx.output_values(0, {product(ctx.dims(0))});
}

void samples(Samples& s) {
  s.add({arg::any({2, 3})});
  s.add({arg::any({0, 3})});
  s.add({arg::any({})});
  s.bad({arg::any({2}), arg::any({2})}, {}, "2 inputs given; it takes 1");
}

}  // namespace

constinit const OpDef Size{
    .name = "Size",
    .doc = "The number of elements.",
    .inputs = {{"data", "T"}},
    .outputs = {{"size", "I"}},
    .types = {{"T", kAnyType | kStored}, {"I", kInt64}},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("sizes do not change with the elements"),
    .onnx = {.since = 1},
    .samples = samples,
};

}  // namespace tenon::op
