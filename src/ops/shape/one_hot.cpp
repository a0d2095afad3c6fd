// OneHot: for each index a row that is on at it and off elsewhere.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

// The number of places, when known; depth may be of any number type.
Dim depth_of(const InferContext& ctx) {
  const Dim count = product(ctx.dims(1));
  ctx.check(!count.is_const() || count.value() == 1, "depth is {}; give one number", ctx.str(1));
  Dim depth = Dim::unknown();
  if (ctx.input(1).constant.defined())
    depth = ctx.input(1).constant.item<int64_t>();
  else if (ctx.values(1) && ctx.values(1)->size() == 1)
    depth = ctx.values(1)->front();
  ctx.check(!depth.is_const() || depth.value() >= 0, "depth is {}; use 0 or more", depth.str());
  return depth;
}

void infer(InferContext& ctx) {
  const Dim pair = product(ctx.dims(2));
  ctx.check(ctx.rank(2) == 1 && (!pair.is_const() || pair.value() == 2),
            "values is {}; give the two values [off, on]", ctx.str(2));
  const size_t axis = ctx.axis(ctx.i("axis"), ctx.rank(0) + 1);
  Dims out = ctx.dims(0);
  ctx.check(out.size() < kMaxRank,
            "indices {} would get {} axes, a tensor has {} at most; use fewer", ctx.str(0),
            out.size() + 1, kMaxRank);
  out.insert(out.begin() + static_cast<std::ptrdiff_t>(axis), depth_of(ctx));
  ctx.output(0, std::move(out));
}

// Of the two values: the sums of the gradient where each stands.
TensorList grad(const GradContext& ctx) {
  TensorList grads = ctx.none();
  if (!ctx.needs(2)) return grads;
  const Tensor g = ctx.grad();
  const Tensor mask =
      OneHot(ctx.input(0), ctx.input(1), Tensor::from<float>({0, 1}, {2}).to(g.dtype()), ctx.attrs);
  const Tensor all = ReduceSum(g, Attrs{{"keepdims", 0}});
  const Tensor on = ReduceSum(g * mask, Attrs{{"keepdims", 0}});
  const Tensor axis = Tensor::ints({0});
  grads[2] = Concat.all({Unsqueeze(all - on, axis), Unsqueeze(on, axis)}, {{"axis", 0}})[0];
  return grads;
}

void samples(Samples& s) {
  const Arg off_on = arg::fixed(Tensor::from<float>({-1, 2}, {2}));
  s.add({arg::ints({0, 3, -1, 4, -5}), arg::int_scalar(4), off_on});
  s.add({arg::fixed(Tensor::from<int32_t>({1, 0, 2, 1}, {2, 2})), arg::ints({3}), off_on},
        {{"axis", 0}});
  s.add({arg::fixed(Tensor::from<float>({1, 2}, {2})), arg::fixed(Tensor::scalar(3, DType::f32)),
         arg::fixed(Tensor::from<bool>({false, true}, {2}))},
        {{"axis", -2}});
  s.add({arg::int_scalar(1), arg::int_scalar(2), off_on});
  s.add({arg::ints({0, 2, -1, 5}), arg::int_scalar(3), arg::any({2})}, {{"axis", 0}});
  s.add({arg::ints({}), arg::int_scalar(2), off_on});
  s.add({arg::ints({0}), arg::int_scalar(0), off_on});
  s.bad({arg::ints({0}), arg::int_scalar(-1), off_on}, {}, "depth is -1; use 0 or more");
  s.bad({arg::ints({0}), arg::int_scalar(2), arg::any({3})}, {}, "give the two values [off, on]");
  s.bad({arg::ints({0}), arg::int_scalar(2), off_on}, {{"axis", 2}}, "axis 2 is outside");
}

}  // namespace

constinit const OpDef OneHot{
    .name = "OneHot",
    .doc = "A new axis of size `depth` that is on at the index and off elsewhere; all off outside.",
    .inputs = {{"indices", "I"}, value("depth", "D"), {"values", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"I", kNumeric}, {"D", kNumeric}, {"T", kAnyType}},
    .attrs = {attr_i("axis", -1)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(0) | saves::input(1)},
    // Opset 9 asked for indices of 0 or more, which mean the same now.
    .onnx = {.since = 11, .older = {{9, upgrade::as_is}}},
    .samples = samples,
};

}  // namespace tenon::op
