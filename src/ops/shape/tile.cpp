// Tile: the whole tensor repeated along each axis.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"
#include "ops/shape/known_values.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const size_t rank = ctx.rank(0);
  const Dim count = list_size(ctx, 1);
  ctx.check(!count.is_const() || count.value() == static_cast<int64_t>(rank),
            "repeats has {} numbers, but {} has {} axes; give one for each axis", count.str(),
            ctx.str(0), rank);
  if (!ctx.values(1)) return ctx.output(0, unknown_dims(rank));
  const std::vector<Dim>& repeats = *ctx.values(1);
  Dims out;
  for (size_t a = 0; a < rank; ++a) {
    ctx.check(!repeats[a].is_const() || repeats[a].value() >= 0,
              "axis {} is to be repeated {} times; use 0 or more", a, repeats[a].str());
    out.push_back(ctx.dims(0)[a] * repeats[a]);
  }
  ctx.output(0, std::move(out));
  const auto source = to_shape(ctx.dims(0));
  if (!source) return;
  move_values(ctx, 0, [&](tenon::Shape index) {
    for (size_t a = 0; a < rank; ++a) index[a] %= (*source)[a];
    return index;
  });
}

// Axis a of the output is [repeats[a], size[a]] merged; the copies are summed.
TensorList grad(const GradContext& ctx) {
  const size_t rank = ctx.dims(0).size();
  if (rank == 0) return {ctx.grad(), {}};
  const Tensor pairs = Concat.all(
      {Unsqueeze(ctx.input(1), Tensor::ints({1})), Unsqueeze(ctx.shape_of(0), Tensor::ints({1}))},
      {{"axis", 1}})[0];
  const Tensor split = Reshape(pairs, Tensor::ints({static_cast<int64_t>(2 * rank)}));
  std::vector<int64_t> copies;
  for (size_t a = 0; a < rank; ++a) copies.push_back(static_cast<int64_t>(2 * a));
  return {ReduceSum(Reshape(ctx.grad(), split, {{"allowzero", 1}}), Tensor::ints(copies),
                    {{"keepdims", 0}}),
          {}};
}

// Opset 1 repeated one axis: inputs tiles and axis, of one element each.
TensorList from_tiles_and_axis(const OnnxNode& node) {
  const std::vector<int64_t> tiles = node.constant_ints(1), axis = node.constant_ints(2);
  std::vector<int64_t> repeats(node.inputs[0].rank(), 1);
  TENON_CHECK(tiles.size() == 1 && axis.size() == 1, data,
              "Tile '{}': tiles and axis have {} and {} elements; opset {} takes one each",
              node.name, tiles.size(), axis.size(), node.opset);
  repeats[static_cast<size_t>(normalize_axis(axis[0], repeats.size(), "Tile"))] = tiles[0];
  return {Tile(node.inputs[0], Tensor::ints(repeats))};
}

void samples(Samples& s) {
  s.add({arg::any({2, 3}), arg::ints({2, 1})});
  s.add({arg::any({2, 1, 2}), arg::ints({1, 3, 2})});
  s.add({arg::any({3}), arg::ints({0})});
  s.add({arg::any({0, 2}), arg::ints({2, 2})});
  s.add({arg::any({}), arg::ints({})});
  s.bad({arg::any({2, 3}), arg::ints({2})}, {}, "repeats has 1 numbers, but");
  s.bad({arg::any({2}), arg::ints({-1})}, {}, "repeated -1 times");
}

}  // namespace

constinit const OpDef Tile{
    .name = "Tile",
    .doc = "Repeats the tensor `repeats[a]` times along axis a.",
    .inputs = {{"input", "T"}, value("repeats", "I")},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType}, {"I", kInt64}},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1)},
    .onnx = {.since = 6, .older = {{1, from_tiles_and_axis}}},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
