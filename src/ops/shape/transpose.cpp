// Transpose: the axes in another order.
#include <algorithm>

#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"
#include "ops/shape/known_values.h"

namespace tenon::op {

namespace {

// Output axis i is input axis order[i]; all axes reversed where no `perm` is given.
tenon::Shape order_of(const Attrs& attrs, size_t rank) {
  if (const AttrValue* perm = attrs.find("perm")) return std::get<std::vector<int64_t>>(*perm);
  tenon::Shape order(rank, 0);
  for (size_t i = 0; i < rank; ++i) order[i] = static_cast<int64_t>(rank - 1 - i);
  return order;
}

void infer(InferContext& ctx) {
  const size_t rank = ctx.rank(0);
  if (ctx.has("perm")) {
    std::vector<int64_t> sorted(ctx.ints("perm").begin(), ctx.ints("perm").end());
    std::ranges::sort(sorted);
    bool each_once = sorted.size() == rank;
    for (size_t i = 0; i < sorted.size(); ++i)
      each_once = each_once && sorted[i] == static_cast<int64_t>(i);
    ctx.check(each_once, "perm={} is no order of the axes of {}; name each of its {} axes once",
              tenon::Shape(ctx.ints("perm")).str(), ctx.str(0), rank);
  }
  const tenon::Shape order = order_of(ctx.attrs, rank);
  Dims out;
  for (const int64_t axis : order) out.push_back(ctx.dims(0)[static_cast<size_t>(axis)]);
  ctx.output(0, std::move(out));
  move_values(ctx, 0, [&](const tenon::Shape& index) {
    tenon::Shape from(rank, 0);
    for (size_t i = 0; i < rank; ++i) from[static_cast<size_t>(order[i])] = index[i];
    return from;
  });
}

Tensor view(std::span<const Tensor* const> inputs, const Attrs& attrs, const tenon::Shape&) {
  return inputs[0]->permute(order_of(attrs, inputs[0]->rank()));
}

TensorList grad(const GradContext& ctx) {
  const tenon::Shape order = order_of(ctx.attrs, ctx.dims(0).size());
  tenon::Shape back(order.rank(), 0);
  for (size_t i = 0; i < order.rank(); ++i)
    back[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  return {Transpose(ctx.grad(), {{"perm", back}})};
}

void samples(Samples& s) {
  s.add({arg::any({2, 3})});
  s.add({arg::any({2, 3, 4})}, {{"perm", {1, 2, 0}}});
  s.add({arg::any({2, 3, 4})}, {{"perm", {0, 2, 1}}});
  s.add({arg::any({0, 3})});
  s.add({arg::any({})});
  s.bad({arg::any({2, 3})}, {{"perm", {0, 0}}}, "perm=[0, 0] is no order of the axes");
  s.bad({arg::any({2, 3})}, {{"perm", {0, 1, 2}}}, "name each of its 2 axes once");
}

}  // namespace

constinit const OpDef Transpose{
    .name = "Transpose",
    .doc = "The axes in the order `perm`, or reversed.",
    .inputs = {{"data", "T"}},
    .outputs = {{"transposed", "T"}},
    .types = {{"T", kAnyType | kStored}},
    .attrs = {attr("perm", AttrType::ints)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 1},
    .quant = QuantRole::passes,
    .view = view,
    .samples = samples,
};

}  // namespace tenon::op
