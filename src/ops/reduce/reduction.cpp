#include "ops/reduce/reduction.h"

#include <algorithm>
#include <functional>

#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"
#include "ops/shape/known_values.h"

namespace tenon::reduction {

namespace {

bool keeps(const Call& call) { return call.i("keepdims") != 0; }

void add_samples(Samples& s, const std::function<Arg(const Shape&)>& values) {
  s.add({values({2, 3, 2}), arg::ints({1})});
  s.add({values({2, 3, 2}), arg::ints({0, -1})}, {{"keepdims", 0}});
  s.add({values({3, 2})});
  s.add({values({3, 2})}, {{"keepdims", 0}});
  s.add({values({2, 3}), arg::ints({})});
  s.add({values({2, 3}), arg::ints({})}, {{"noop_with_empty_axes", 1}});
  s.add({values({2, 3})}, {{"noop_with_empty_axes", 1}, {"keepdims", 0}});
  s.add({values({0, 3}), arg::ints({1})});
  s.add({values({2, 3, 0}), arg::ints({1})});
  s.add({values({})});
  s.add({values({}), arg::ints({})}, {{"keepdims", 0}});
  s.bad({arg::any({2, 3}), arg::ints({2})}, {}, "axis 2 is outside");
  s.bad({arg::any({2, 3}), arg::ints({0, -2})}, {}, "name axis 0 twice");
  s.bad({arg::typed({2, 3}, DType::string)}, {}, "input data is string[2, 3]");
}

}  // namespace

std::vector<size_t> reduced_axes(const Call& call, std::span<const int64_t> axes, size_t rank) {
  std::vector<size_t> out;
  for (const int64_t axis : axes)
    out.push_back(static_cast<size_t>(normalize_axis(axis, rank, call.op.name)));
  if (!axes.empty() || call.i("noop_with_empty_axes") != 0) return out;
  for (size_t axis = 0; axis < rank; ++axis) out.push_back(axis);
  return out;
}

void infer(InferContext& ctx) {
  const size_t rank = ctx.rank(0);
  std::optional<std::vector<int64_t>> axes{std::vector<int64_t>()};
  if (ctx.has_input(1)) {
    const Dim count = list_size(ctx, 1);
    axes = ctx.ints_of(1);
    if (!axes && !keeps(ctx)) {
      if (!count.is_const() || count.value() == 0) return ctx.output_unranked(0);
      ctx.check(count.value() <= static_cast<int64_t>(rank),
                "{} axes are named of {}, which has {}; name fewer", count.value(), ctx.str(0),
                rank);
      return ctx.output(0, unknown_dims(rank - static_cast<size_t>(count.value())));
    }
  }
  if (!axes) return ctx.output(0, unknown_dims(rank));
  distinct_axes(ctx, *axes, rank);
  const std::vector<size_t> reduced = reduced_axes(ctx, *axes, rank);
  Dims out;
  for (size_t axis = 0; axis < rank; ++axis) {
    if (std::ranges::find(reduced, axis) == reduced.end())
      out.push_back(ctx.dims(0)[axis]);
    else if (keeps(ctx))
      out.emplace_back(1);
  }
  ctx.output(0, std::move(out));
}

void fold_values(InferContext& ctx, const Dim& first, Dim (*fold)(const Dim&, const Dim&)) {
  const std::optional<KnownValues> known = known_values(ctx, 0);
  const std::optional<Shape> out = small_output(ctx, 0);
  if (!known || !out || out->numel() != 1 || known->shape.rank() != 1) return;
  Dim result = first;
  for (const Dim& value : known->elements) result = fold(result, value);
  ctx.output_values(0, {result});
}

std::vector<size_t> reduced_axes(const GradContext& ctx) {
  return reduced_axes(ctx, ctx.has_input(1) ? ctx.ints_of(1) : std::vector<int64_t>(),
                      ctx.dims(0).size());
}

Tensor keep_axes(const GradContext& ctx, const Tensor& y) {
  if (keeps(ctx)) return y;
  const std::vector<size_t> reduced = reduced_axes(ctx);
  if (reduced.empty()) return y;
  return op::Unsqueeze(y, Tensor::ints(std::vector<int64_t>(reduced.begin(), reduced.end())));
}

Tensor spread(const GradContext& ctx, const Tensor& dy) {
  return op::Expand(keep_axes(ctx, dy), ctx.shape_of(0));
}

TensorList only(const GradContext& ctx, Tensor dx) {
  TensorList out = ctx.none();
  out[0] = std::move(dx);
  return out;
}

TensorList axes_from_attribute(const OnnxNode& node) {
  return upgrade::attr_to_input(node, "axes", 1);
}

void axes_to_attribute(OnnxNode& node) {
  const AttrValue* noop = node.attrs.find("noop_with_empty_axes");
  const bool none = !node.has_input(1) || node.constant_ints(1).empty();
  if (none && noop && std::get<int64_t>(*noop) != 0) {
    // Without axes nothing is reduced, which older opsets cannot say; of single elements most
    // reductions are those elements.
    constexpr std::string_view names[] = {"ReduceMax",  "ReduceMin", "ReduceMean",
                                          "ReduceProd", "ReduceSum", "ReduceLogSumExp"};
    TENON_CHECK(
        std::ranges::find(names, node.op_type) != std::end(names), unsupported,
        "{} '{}': without axes it reduces nothing, which opset {} cannot say; replace it or "
        "export at opset 18 or newer",
        node.op_type, node.name, node.opset);
    node.op_type = "Identity";
    node.inputs.resize(1);
    node.attrs = {};
    return;
  }
  node.attrs = node.attrs.without("noop_with_empty_axes");
  if (none)
    node.inputs.resize(1);
  else
    lower::input_to_attr(node, 1, "axes");
}

void samples(Samples& s, double low, double high) {
  add_samples(s, [=](const Shape& shape) { return arg::range(shape, low, high); });
}

void samples_apart(Samples& s) { add_samples(s, arg::distinct); }

}  // namespace tenon::reduction
