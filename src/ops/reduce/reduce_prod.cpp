// ReduceProd: the product over axes.
#include <algorithm>

#include "ops/math/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/reduce/reduction.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  reduction::infer(ctx);
  reduction::fold_values(ctx, 1, [](const Dim& a, const Dim& b) { return a * b; });
}

// For each element of the last axis, of size `count`, the product of all others. A tree of pairs is
// multiplied up, and products of the rest are handed down: no division, so zeros need no care.
Tensor products_of_others(Tensor x, int64_t count) {
  int64_t padded = 1;
  while (padded < count) padded *= 2;
  if (padded > count) x = Pad(x, Tensor::ints({0, 0, 0, padded - count}), constant_like(x, 1));
  TensorList levels;
  for (int64_t pairs = padded / 2; pairs > 0; pairs /= 2) {
    levels.push_back(Reshape(x, Tensor::ints({-1, pairs, 2})));
    const TensorList halves = Split.all({levels.back()}, {{"axis", -1}, {"num_outputs", 2}}, 2);
    x = Squeeze(halves[0] * halves[1], Tensor::ints({-1}));
  }
  Tensor others = constant_like(x, 1);
  for (int64_t size = 1; !levels.empty(); levels.pop_back()) {
    const Tensor siblings = Slice.all({levels.back(), Tensor::ints({1}), Tensor::ints({-3}),
                                       Tensor::ints({-1}), Tensor::ints({-1})})[0];
    if (size > 1) others = Unsqueeze(others, Tensor::ints({-1}));
    size *= 2;
    others = Reshape(others * siblings, Tensor::ints({-1, size}));
  }
  return Slice(others, Tensor::ints({0}), Tensor::ints({count}), Tensor::ints({1}));
}

// The reduced axes are brought behind the others and merged.
TensorList grad(const GradContext& ctx) {
  const std::vector<size_t> reduced = reduction::reduced_axes(ctx);
  std::vector<int64_t> order, back(ctx.dims(0).size());
  Dim count = 1;
  for (size_t axis = 0; axis < back.size(); ++axis)
    if (std::ranges::find(reduced, axis) == reduced.end())
      order.push_back(static_cast<int64_t>(axis));
  for (const size_t axis : reduced) {
    order.push_back(static_cast<int64_t>(axis));
    count = count * ctx.dims(0)[axis];
  }
  for (size_t i = 0; i < order.size(); ++i)
    back[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  TENON_CHECK(count.is_const(), unsupported,
              "ReduceProd: its gradient needs the reduced sizes of {}; give these axes fixed sizes",
              str(ctx.dims(0)));
  const Tensor dy = reduction::keep_axes(ctx, ctx.grad());
  if (count.value() <= 1) return reduction::only(ctx, reduction::spread(ctx, ctx.grad()));
  const Tensor rows = Transpose(ctx.input(0), {{"perm", tenon::Shape(order)}});
  const Tensor others =
      products_of_others(Reshape(rows, Tensor::ints({-1, count.value()})), count.value());
  const Tensor placed = Reshape(others, tenon::op::Shape(rows), {{"allowzero", 1}});
  return reduction::only(ctx, Transpose(placed, {{"perm", tenon::Shape(back)}}) * dy);
}

void samples(Samples& s) {
  reduction::samples(s, -2, 2);
  s.add({arg::any({2, 0}), arg::ints({1})});
  s.add({arg::any({2, 5, 3}), arg::ints({0, 1})});
  s.add(
      {arg::fixed(Tensor::from<double>({1.5, 0, -2, 0.5, 3, 0, 0, 2, 4}, {3, 3})), arg::ints({1})});
}

}  // namespace

constinit const OpDef ReduceProd{
    .name = "ReduceProd",
    .doc = "The product over `axes`; 1 of nothing.",
    .inputs = {{"data", "T"}, optional_value("axes", "I")},
    .outputs = {{"reduced", "T"}},
    .types = {{"T", reduction::kTypes}, {"I", kInt64}},
    .attrs = {attr_i("keepdims", 1), attr_i("noop_with_empty_axes", 0)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::all_inputs},
    .onnx = {.since = 18,
             .older = {{1, reduction::axes_from_attribute}},
             .lower = reduction::axes_to_attribute},
    .samples = samples,
};

}  // namespace tenon::op
