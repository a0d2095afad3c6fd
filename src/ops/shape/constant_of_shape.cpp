// ConstantOfShape: one value everywhere.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"
#include "ops/shape/known_values.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Tensor given = ctx.tensor("value");
  const DType type = given.defined() ? given.dtype() : DType::f32;
  if (given.defined())
    ctx.check(given.numel() == 1, "attribute value has shape {}; give one element",
              given.shape().str());
  const Dim rank = list_size(ctx, 0);
  if (!ctx.values(0)) {
    if (!rank.is_const()) {
      ctx.output(0, {}, type);
      return ctx.output_unranked(0);
    }
    return ctx.output(0, unknown_dims(static_cast<size_t>(rank.value())), type);
  }
  const Dims dims = *ctx.values(0);
  for (const Dim& size : dims)
    ctx.check(!size.is_const() || size.value() >= 0,
              "shape {} has the size {}; sizes are 0 or more", str(dims), size.str());
  ctx.output(0, dims, type);
  if (given.defined() && is_int(type))
    say_values(ctx, 0, [&](const tenon::Shape&) { return Dim(given.item<int64_t>()); });
}

void samples(Samples& s) {
  s.add({arg::ints({2, 3})});
  s.add({arg::ints({3})}, {{"value", Tensor::from<int64_t>({7}, {1})}});
  s.add({arg::ints({0, 2})}, {{"value", Tensor::from<bool>({true}, {1})}});
  s.add({arg::ints({})}, {{"value", Tensor::from<double>({-1.5}, {1})}});
  s.add({arg::ints({5})}, {{"value", Tensor::full({1}, -3, DType::i4)}});
  s.add({arg::ints({2, 3})}, {{"value", Tensor::full({1}, 1.5, DType::f8e5m2)}});
  s.bad({arg::ints({2, -1})}, {}, "has the size -1");
  s.bad({arg::ints({2})}, {{"value", Tensor::ints({1, 2})}}, "give one element");
}

}  // namespace

constinit const OpDef ConstantOfShape{
    .name = "ConstantOfShape",
    .doc = "A tensor of the given shape that holds `value`, or the f32 0, everywhere.",
    .inputs = {value("input", "I")},
    .outputs = {{"output", "T"}},
    .types = {{"I", kInt64}, {"T", kNumeric | kBool | kStored}},
    .attrs = {attr("value", AttrType::tensor)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("it reads a shape, which does not change with elements"),
    .onnx = {.since = 9},
    .samples = samples,
};

}  // namespace tenon::op
