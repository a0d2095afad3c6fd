// Unsqueeze: inserts axes of size 1.
#include <algorithm>

#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"
#include "ops/shape/known_values.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const Dim count = list_size(ctx, 1);
  const auto axes = ctx.ints_of(1);
  if (!axes && !count.is_const()) return ctx.output_unranked(0);
  const size_t rank = ctx.rank(0) + (axes ? axes->size() : static_cast<size_t>(count.value()));
  ctx.check(rank <= kMaxRank, "{} would get {} axes, a tensor has {} at most; insert fewer",
            ctx.str(0), rank, kMaxRank);
  if (!axes) return ctx.output(0, unknown_dims(rank));
  const std::vector<size_t> inserted = distinct_axes(ctx, *axes, rank);
  Dims out;
  for (size_t i = 0, from = 0; i < rank; ++i)
    out.push_back(std::ranges::find(inserted, i) != inserted.end() ? Dim(1) : ctx.dims(0)[from++]);
  ctx.output(0, std::move(out));
  keep_values(ctx);
}

Tensor view(std::span<const Tensor* const> inputs, const Attrs&, const tenon::Shape& output) {
  return inputs[0]->try_view(output);
}

TensorList grad(const GradContext& ctx) { return {ctx.reshape(ctx.grad(), 0), {}}; }

TensorList from_attribute(const OnnxNode& node) { return upgrade::attr_to_input(node, "axes", 1); }
void lowered(OnnxNode& node) { lower::input_to_attr(node, 1, "axes"); }

void samples(Samples& s) {
  s.add({arg::any({2, 3}), arg::ints({0})});
  s.add({arg::any({2, 3}), arg::ints({-1, 1})});
  s.add({arg::any({2}), arg::ints({})});
  s.add({arg::any({0}), arg::ints({1})});
  s.add({arg::any({}), arg::ints({0, 1})});
  s.bad({arg::any({2, 3}), arg::ints({3})}, {}, "axis 3 is outside");
  s.bad({arg::any({2, 3}), arg::ints({1, -3})}, {}, "name axis 1 twice");
}

}  // namespace

constinit const OpDef Unsqueeze{
    .name = "Unsqueeze",
    .doc = "Inserts axes of size 1 at the places `axes` have in the output.",
    .inputs = {{"data", "T"}, value("axes", "I")},
    .outputs = {{"expanded", "T"}},
    .types = {{"T", kAnyType | kStored}, {"I", kInt64}},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 13, .older = {{1, from_attribute}}, .lower = lowered},
    .quant = QuantRole::passes,
    .view = view,
    .samples = samples,
};

}  // namespace tenon::op
