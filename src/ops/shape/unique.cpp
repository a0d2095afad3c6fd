// Unique: each value, or each slice along an axis, once.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dim found = Dim::unknown();
  Dims values{found};
  Dim searched = product(ctx.dims(0));
  if (ctx.has("axis")) {
    const size_t axis = ctx.axis(ctx.i("axis"), ctx.rank(0));
    searched = ctx.dims(0)[axis];
    values = ctx.dims(0);
    values[axis] = found;
  }
  ctx.output(0, std::move(values));
  ctx.output(1, {found});
  ctx.output(2, {searched});
  ctx.output(3, {found});
}

void samples(Samples& s) {
  const auto numbers = [](std::initializer_list<float> values, const tenon::Shape& shape) {
    return arg::fixed(Tensor::from<float>(values, shape));
  };
  s.add({numbers({2, 1, 1, 3, 4, 3}, {6})}).outputs = 4;
  s.add({numbers({2, 1, 1, 3, 4, 3}, {2, 3})}, {{"sorted", 0}}).outputs = 4;
  s.add({numbers({1, 0, 0, 1, 0, 0, 2, 3, 4}, {3, 3})}, {{"axis", 0}}).outputs = 4;
  s.add({numbers({1, 1, 0, 0, 0, 0}, {2, 3})}, {{"axis", -1}, {"sorted", 0}}).outputs = 4;
  s.add({arg::fixed(Tensor::strings({"b", "a", "b"}, {3}))}).outputs = 4;
  s.add({arg::any({0})}).outputs = 4;
  s.bad({arg::any({2, 2})}, {{"axis", 2}}, "axis 2 is outside");
}

}  // namespace

constinit const OpDef Unique{
    .name = "Unique",
    .doc =
        "Each value once, or each slice along `axis`, sorted or in the order they come; where each "
        "came "
        "first, which one each element is, and how often each came.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"},
                optional("indices", "I"),
                optional("inverse_indices", "I"),
                optional("counts", "I")},
    .types = {{"T", kNumeric | kBool | kString}, {"I", kInt64}},
    .attrs = {attr("axis", AttrType::i), attr_i("sorted", 1)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("which values are equal is not continuous"),
    .onnx = {.since = 11},
    .samples = samples,
};

}  // namespace tenon::op
