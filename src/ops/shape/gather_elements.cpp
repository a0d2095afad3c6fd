// GatherElements: for each place of the indices, the element at that index of one axis.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(1) == ctx.rank(0),
            "data is {} and indices is {}; give both the same number of axes", ctx.str(0),
            ctx.str(1));
  const size_t axis = ctx.axis(ctx.i("axis"), ctx.rank(0));
  for (size_t a = 0; a < ctx.rank(0); ++a) {
    const Dim &data = ctx.dims(0)[a], &indices = ctx.dims(1)[a];
    ctx.check(
        a == axis || !data.is_const() || !indices.is_const() || indices.value() <= data.value(),
        "indices {} reach beyond data {} on axis {}; only axis {} may be longer", ctx.str(1),
        ctx.str(0), a, axis);
  }
  ctx.output(0, ctx.dims(1));
}

TensorList grad(const GradContext& ctx) {
  const Tensor zeros = Expand(constant_like(ctx.grad(), 0), ctx.shape_of(0));
  return {ScatterElements(zeros, ctx.input(1), ctx.grad(), ctx.attrs.with({"reduction", "add"})),
          {}};
}

void samples(Samples& s) {
  const Arg indices = arg::fixed(Tensor::from<int64_t>({0, 2, -1, 1}, {2, 2}));
  s.add({arg::any({3, 2}), indices});
  s.add({arg::any({2, 3}), indices}, {{"axis", 1}});
  s.add({arg::any({2, 3}), arg::fixed(Tensor::from<int32_t>({1, 1, 0, 2, 2}, {1, 5}))},
        {{"axis", -1}});
  s.add({arg::any({3, 2}), arg::fixed(Tensor::from<int64_t>({}, {0, 2}))});
  s.bad({arg::any({3, 2}), arg::ints({0})}, {}, "give both the same number of axes");
  s.bad({arg::any({3, 1}), indices}, {}, "only axis 0 may be longer");
  s.bad({arg::any({2, 2}), indices}, {}, "index 2 is outside axis 0 of size 2");
}

}  // namespace

constinit const OpDef GatherElements{
    .name = "GatherElements",
    .doc = "output[i][j] = data[indices[i][j]][j] for axis 0, and so on for other axes.",
    .inputs = {{"data", "T"}, {"indices", "I"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType}, {"I", kIndex}},
    .attrs = {attr_i("axis", 0)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1)},
    .onnx = {.since = 11},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
