// PRelu: Relu with a learnt slope below 0.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer_shape(InferContext& ctx) {
  const Dims& x = ctx.dims(0);
  const Dims& slope = ctx.dims(1);
  bool fits = slope.size() <= x.size();
  for (size_t i = 0; fits && i < slope.size(); ++i) {
    const Dim& to = x[x.size() - slope.size() + i];
    fits = slope[i] == Dim(1) || slope[i] == to || !slope[i].is_const() || !to.is_const();
  }
  ctx.check(fits,
            "slope is {}, which does not broadcast to X, {}; its sizes must be X's or 1, counted "
            "from the last axis",
            ctx.str(1), ctx.str(0));
  ctx.output(0, x);
}

// Until opset 6 a slope of one axis belongs to the channels, axis 1 of X.
TensorList upgrade_channels(const OnnxNode& node) {
  TensorList inputs = node.inputs;
  if (node.has_input(0) && node.has_input(1) && inputs[1].rank() == 1 && inputs[0].rank() > 2) {
    std::vector<int64_t> axes;
    for (size_t axis = 2; axis < inputs[0].rank(); ++axis)
      axes.push_back(static_cast<int64_t>(axis) - 1);
    inputs[1] = Unsqueeze(inputs[1], Tensor::ints(axes));
  }
  return PRelu.all(inputs);
}

TensorList grad(const GradContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor zero = constant_like(x, 0);
  const Tensor below = Less(x, zero);
  TensorList grads = ctx.none();
  if (ctx.needs(0)) grads[0] = Where(below, ctx.grad() * ctx.input(1), ctx.grad());
  if (ctx.needs(1)) grads[1] = sum_to(Where(below, ctx.grad() * x, zero), ctx.dims(1));
  return grads;
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  return {Where(Less(x, constant_like(x, 0)), x * ctx.input(1), x)};
}

void samples(Samples& s) {
  const auto below = [](const tenon::Shape& shape) { return arg::range(shape, -2, -0.2); };
  constexpr TypeSet kSigned = kFloats | kSignedInts;
  s.add({arg::range({2, 3}, 0.2, 2), arg::any({3})});
  s.add({below({2, 3}), arg::any({2, 3})}).types = kSigned;
  s.add({below({2, 3, 2}), arg::any({3, 1})}).types = kSigned;
  s.add({below({2, 3}), arg::any({})}).types = kSigned;
  s.add({arg::range({4, 4}, -2, 2), arg::any({1})}).grad = false;
  s.add({arg::any({0, 3}), arg::any({3})});
  s.bad({arg::any({2, 3}), arg::any({2})}, {}, "which does not broadcast to X");
  s.bad({arg::any({3}), arg::any({2, 3})}, {}, "which does not broadcast to X");
}

}  // namespace

constinit const OpDef PRelu{
    .name = "PRelu",
    .doc = "X where X is not below 0, else slope * X; slope broadcasts to X.",
    .inputs = {{"X", "T"}, {"slope", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kFloats | types(DType::i32, DType::i64, DType::u32, DType::u64)}},
    .infer = infer_shape,
    .expand = expand,
    .grad = {grad, saves::all_inputs},
    .onnx = {.since = 7, .older = {{1, upgrade_channels}}},
    .samples = samples,
};

}  // namespace tenon::op
