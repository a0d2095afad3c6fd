// NonZero: where a tensor is not zero.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.output(0, {static_cast<int64_t>(ctx.rank(0)), Dim::unknown()});
}

void samples(Samples& s) {
  s.add({arg::fixed(Tensor::from<float>({1, 0, 0, -2, 3, 0}, {2, 3}))});
  s.add({arg::fixed(Tensor::from<bool>({false, true, true}, {3}))});
  s.add({arg::fixed(Tensor::from<int64_t>({0, 0}, {2, 1}))});
  s.add({arg::fixed(Tensor::scalar(2))});
  s.add({arg::any({0, 3})});
  s.add({arg::fixed(Tensor::strings({"a", "", "b"}, {3, 1}))});
  s.bad({}, {}, "NonZero: 0 inputs given");
}

}  // namespace

constinit const OpDef NonZero{
    .name = "NonZero",
    .doc =
        "A column for each element that is not zero (or false, or an empty string), in row-major "
        "order: its place on each axis.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "I"}},
    .types = {{"T", kAnyType}, {"I", kInt64}},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("places are not continuous"),
    .onnx = {.since = 9},
    .samples = samples,
};

}  // namespace tenon::op
