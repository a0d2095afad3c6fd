// Squeeze: drops axes of size 1.
#include <algorithm>

#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"
#include "ops/shape/known_values.h"

namespace tenon::op {

namespace {

// Without axes every axis of size 1 goes, so each size must be known.
void drop_all(InferContext& ctx) {
  Dims out;
  for (const Dim& size : ctx.dims(0)) {
    if (!size.is_const()) return ctx.output_unranked(0);
    if (size.value() != 1) out.push_back(size);
  }
  ctx.output(0, std::move(out));
}

void infer(InferContext& ctx) {
  if (!ctx.has_input(1)) {
    drop_all(ctx);
    return keep_values(ctx);
  }
  const Dim count = list_size(ctx, 1);
  const auto axes = ctx.ints_of(1);
  if (!axes) {
    if (!count.is_const()) return ctx.output_unranked(0);
    const int64_t left = static_cast<int64_t>(ctx.rank(0)) - count.value();
    ctx.check(left >= 0, "{} axes are to be dropped from {}, which has {}; name axes of size 1",
              count.value(), ctx.str(0), ctx.rank(0));
    return ctx.output(0, unknown_dims(static_cast<size_t>(left)));
  }
  const std::vector<size_t> drop = distinct_axes(ctx, *axes, ctx.rank(0));
  Dims out;
  for (size_t i = 0; i < ctx.rank(0); ++i) {
    const Dim& size = ctx.dims(0)[i];
    if (std::ranges::find(drop, i) == drop.end()) {
      out.push_back(size);
      continue;
    }
    ctx.check(!size.is_const() || size.value() == 1,
              "axis {} of {} has size {}; only axes of size 1 can be dropped", i, ctx.str(0),
              size.str());
  }
  ctx.output(0, std::move(out));
  keep_values(ctx);
}

Tensor view(std::span<const Tensor* const> inputs, const Attrs&, const tenon::Shape& output) {
  return inputs[0]->try_view(output);
}

TensorList grad(const GradContext& ctx) {
  TensorList out = ctx.none();
  out[0] = ctx.reshape(ctx.grad(), 0);
  return out;
}

TensorList from_attribute(const OnnxNode& node) { return upgrade::attr_to_input(node, "axes", 1); }
void lowered(OnnxNode& node) { lower::input_to_attr(node, 1, "axes"); }

void samples(Samples& s) {
  s.add({arg::any({1, 3, 1}), arg::ints({0})});
  s.add({arg::any({1, 3, 1}), arg::ints({-1, 0})});
  s.add({arg::any({1, 3, 1})});
  s.add({arg::any({1, 1})});
  s.add({arg::any({2, 3}), arg::ints({})});
  s.add({arg::any({0, 1}), arg::ints({1})});
  s.add({arg::any({})});
  s.bad({arg::any({2, 3}), arg::ints({1})}, {}, "has size 3; only axes of size 1 can be dropped");
  s.bad({arg::any({1, 3}), arg::ints({2})}, {}, "axis 2 is outside");
  s.bad({arg::any({1, 3}), arg::ints({0, -2})}, {}, "name axis 0 twice");
}

}  // namespace

constinit const OpDef Squeeze{
    .name = "Squeeze",
    .doc = "Drops the named axes of size 1, or all of them.",
    .inputs = {{"data", "T"}, optional_value("axes", "I")},
    .outputs = {{"squeezed", "T"}},
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
