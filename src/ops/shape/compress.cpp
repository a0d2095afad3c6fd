// Compress: the slices for which a condition holds.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(1) == 1, "condition is {}; give a vector", ctx.str(1));
  const Dim& length = ctx.dims(1)[0];
  Dims out{Dim::unknown()};
  Dim most = product(ctx.dims(0));
  if (ctx.has("axis")) {
    const size_t axis = ctx.axis(ctx.i("axis"), ctx.rank(0));
    most = ctx.dims(0)[axis];
    out = ctx.dims(0);
    out[axis] = Dim::unknown();
  }
  ctx.check(!length.is_const() || !most.is_const() || length.value() <= most.value(),
            "condition {} is longer than the {} slices of {}; shorten it", ctx.str(1), most.str(),
            ctx.str(0));
  ctx.output(0, std::move(out));
}

TensorList grad(const GradContext& ctx) {
  const Tensor places = Squeeze(NonZero(ctx.input(1)), Tensor::ints({0}));
  if (ctx.has("axis"))
    return {GatherGrad(ctx.grad(), places, ctx.shape_of(0), {{"axis", ctx.i("axis")}}), {}};
  const Tensor count = ReduceProd(ctx.shape_of(0), {{"keepdims", 1}});
  return {ctx.reshape(GatherGrad(ctx.grad(), places, count), 0), {}};
}

void samples(Samples& s) {
  const auto condition = [](std::initializer_list<bool> values) {
    return arg::fixed(Tensor::from<bool>(values, {static_cast<int64_t>(values.size())}));
  };
  s.add({arg::any({3, 2}), condition({true, false, true})}, {{"axis", 0}});
  s.add({arg::any({2, 3}), condition({false, true})}, {{"axis", -1}});
  s.add({arg::any({2, 3}), condition({false, true, true, false, false, true})});
  s.add({arg::any({2, 2}), condition({false, false})}, {{"axis", 1}});
  s.add({arg::any({0}), condition({})});
  s.bad({arg::any({2}), condition({true, true, false})}, {}, "is longer than the 2 slices");
  s.bad({arg::any({2, 2}), condition({true})}, {{"axis", 2}}, "axis 2 is outside");
}

}  // namespace

constinit const OpDef Compress{
    .name = "Compress",
    .doc = "The slices along `axis`, or the elements, at whose place `condition` is true.",
    .inputs = {{"input", "T"}, {"condition", "B"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType}, {"B", kBool}},
    .attrs = {attr("axis", AttrType::i)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1)},
    .onnx = {.since = 11, .older = {{9, upgrade::as_is}}},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
