// GatherGrad: slices added up at the places that Gather read them from, as an embedding's gradient.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  if (!ctx.values(2)) {
    const Dim rank = list_size(ctx, 2);
    if (!rank.is_const()) return ctx.output_unranked(0);
    return ctx.output(0, unknown_dims(static_cast<size_t>(rank.value())));
  }
  const Dims dims = *ctx.values(2);
  const size_t axis = ctx.axis(ctx.i("axis"), dims.size());
  Dims gathered(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(axis));
  gathered.insert(gathered.end(), ctx.dims(1).begin(), ctx.dims(1).end());
  gathered.insert(gathered.end(), dims.begin() + static_cast<std::ptrdiff_t>(axis) + 1, dims.end());
  const auto given = to_shape(ctx.dims(0)), wanted = to_shape(gathered);
  ctx.check(
      ctx.rank(0) == gathered.size() && (!given || !wanted || *given == *wanted),
      "dY is {}, but Gather from shape {} with indices {} on axis {} gives {}; give dY that shape",
      ctx.str(0), str(dims), ctx.str(1), axis, str(gathered));
  ctx.output(0, dims);
}

TensorList grad(const GradContext& ctx) {
  return {Gather(ctx.grad(), ctx.input(1), ctx.attrs), {}, {}};
}

void samples(Samples& s) {
  s.add({arg::any({3, 2}), arg::ints({0, 2, 2}), arg::ints({4, 2})});
  s.add({arg::any({2, 2, 2, 3}), arg::fixed(Tensor::from<int32_t>({1, -1, 0, 3}, {2, 2})),
         arg::ints({2, 4, 3})},
        {{"axis", 1}});
  s.add({arg::any({2}), arg::int_scalar(-1), arg::ints({2, 3})}, {{"axis", -1}});
  s.add({arg::any({0, 3}), arg::ints({}), arg::ints({2, 3})});
  s.bad({arg::any({2, 2}), arg::ints({0}), arg::ints({4, 2})}, {}, "on axis 0 gives [1, 2]");
  s.bad({arg::any({1, 2}), arg::ints({4}), arg::ints({4, 2})}, {},
        "index 4 is outside axis 0 of size 4");
}

}  // namespace

constinit const OpDef GatherGrad{
    .name = "GatherGrad",
    .doc =
        "A tensor of shape `shape` with dY's slices added at `indices` of `axis`, and zeros "
        "elsewhere.",
    .inputs = {{"dY", "T"}, {"indices", "I"}, value("shape", "S")},
    .outputs = {{"dX", "T"}},
    .types = {{"T", kFloats}, {"I", kIndex}, {"S", kInt64}},
    .attrs = {attr_i("axis", 0)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1)},
    .onnx = no_onnx("ONNX has no gradient of Gather"),
    .samples = samples,
};

}  // namespace tenon::op
