// Gather: slices of a tensor picked by their place on one axis.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"
#include "ops/shape/known_values.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const size_t axis = ctx.axis(ctx.i("axis"), ctx.rank(0));
  const Dims& data = ctx.dims(0);
  const Dims& indices = ctx.dims(1);
  Dims out(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(axis));
  out.insert(out.end(), indices.begin(), indices.end());
  out.insert(out.end(), data.begin() + static_cast<std::ptrdiff_t>(axis) + 1, data.end());
  ctx.check(out.size() <= kMaxRank,
            "{} with indices {} gives {} axes, a tensor has {} at most; use fewer", ctx.str(0),
            ctx.str(1), out.size(), kMaxRank);
  ctx.output(0, std::move(out));

  const auto places = ctx.ints_of(1);
  const auto picked = to_shape(indices);
  if (!places || !picked || !data[axis].is_const()) return;
  const int64_t size = data[axis].value();
  for (const int64_t place : *places)
    if (place < -size || place >= size) return;  // the kernel reports it
  const tenon::Shape strides = picked->row_major_strides();
  move_values(ctx, 0, [&](const tenon::Shape& index) {
    tenon::Shape from;
    for (size_t a = 0; a < axis; ++a) from.push_back(index[a]);
    int64_t at = 0;
    for (size_t a = 0; a < picked->rank(); ++a) at += index[axis + a] * strides[a];
    const int64_t place = (*places)[static_cast<size_t>(at)];
    from.push_back(place < 0 ? place + size : place);
    for (size_t a = axis + picked->rank(); a < index.rank(); ++a) from.push_back(index[a]);
    return from;
  });
}

TensorList grad(const GradContext& ctx) {
  return {GatherGrad(ctx.grad(), ctx.input(1), ctx.shape_of(0), ctx.attrs), {}};
}

void samples(Samples& s) {
  s.add({arg::any({4, 3}), arg::ints({0, 2, 2})});
  s.add({arg::any({2, 4, 3}), arg::fixed(Tensor::from<int32_t>({1, -1, 0, 3}, {2, 2}))},
        {{"axis", 1}});
  s.add({arg::any({2, 3}), arg::int_scalar(-3)}, {{"axis", -1}});
  s.add({arg::any({3}), arg::ints({})});
  s.add({arg::any({0, 3}), arg::ints({1})}, {{"axis", 1}});
  s.bad({arg::any({2, 3}), arg::ints({0})}, {{"axis", 2}}, "axis 2 is outside");
  s.bad({arg::any({}), arg::ints({0})}, {}, "axis 0 is outside");
  s.bad({arg::any({2, 3}), arg::ints({2})}, {}, "index 2 is outside axis 0 of size 2");
}

}  // namespace

constinit const OpDef Gather{
    .name = "Gather",
    .doc =
        "The slices of `data` along `axis` that `indices` name; negative ones count from the end.",
    .inputs = {{"data", "T"}, {"indices", "I"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType}, {"I", kIndex}},
    .attrs = {attr_i("axis", 0)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1)},
    .onnx = {.since = 11, .older = {{1, upgrade::as_is}}},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
