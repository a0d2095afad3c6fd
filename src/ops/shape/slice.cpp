// Slice: every step-th element between two places of each axis.
#include <limits>

#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"
#include "ops/shape/known_values.h"
#include "ops/shape/slicing.h"

namespace tenon::op {

namespace {

// Exporters write these for "to the end" and "from before the start".
constexpr int64_t kFar = std::numeric_limits<int32_t>::max();

// A place counted from the front, when it provably lies within the axis.
std::optional<Dim> within(const Dim& size, const Dim& place) {
  if (place.is_const() && place.value() >= kFar) return size;
  if (place.is_const() && place.value() < -kFar) return 0;
  const Dim from_front = place.is_const() && place.value() < 0 ? size + place : place;
  if (from_front.is_nonnegative() && (size - from_front).is_nonnegative()) return from_front;
  return std::nullopt;
}

// How many elements one axis keeps; an unknown where that depends on the values of symbols.
Dim length(const Dim& size, const Dim& start, const Dim& end, int64_t step) {
  if (size.is_const() && start.is_const() && end.is_const())
    return slice_range(size.value(), start.value(), end.value(), step).count;
  if (step > 0) {
    const auto first = within(size, start), stop = within(size, end);
    if (first && stop && (*stop - *first).is_nonnegative()) return (*stop - *first).ceil_div(step);
    if (first && stop && (*first - *stop).is_nonnegative()) return 0;
    return Dim::unknown();
  }
  const bool from_last = start.is_const() && (start.value() == -1 || start.value() >= kFar);
  const bool to_first = end.is_const() && end.value() < -kFar;
  return from_last && to_first && step >= -kFar ? size.ceil_div(-step) : Dim::unknown();
}

// The four lists, one entry an axis of the data; nothing for a list that is not known.
struct Lists {
  std::vector<size_t> axes;
  std::vector<Dim> starts, ends;
  std::vector<int64_t> steps;
};

std::optional<Lists> lists_of(const InferContext& ctx) {
  const size_t rank = ctx.rank(0);
  const Dim count = list_size(ctx, 1);
  for (size_t i = 2; i < 5; ++i) {
    if (!ctx.has_input(i)) continue;
    const Dim other = list_size(ctx, i);
    ctx.check(!count.is_const() || !other.is_const() || count == other,
              "starts has {} places but {} has {}; give one for each axis", count.str(),
              ctx.op.inputs[i].name, other.str());
  }
  Lists lists;
  if (ctx.has_input(3)) {
    const auto axes = ctx.ints_of(3);
    if (!axes) return std::nullopt;
    lists.axes = distinct_axes(ctx, *axes, rank);
  } else {
    if (!count.is_const()) return std::nullopt;
    ctx.check(count.value() <= static_cast<int64_t>(rank),
              "starts has {} places, but {} has {} axes; give "
              "one for each axis at most",
              count.value(), ctx.str(0), rank);
    for (int64_t i = 0; i < count.value(); ++i) lists.axes.push_back(static_cast<size_t>(i));
  }
  const size_t sliced = lists.axes.size();
  const auto places = [&](size_t i) {
    if (ctx.values(i)) return *ctx.values(i);
    return unknown_dims(sliced);
  };
  lists.starts = places(1);
  lists.ends = places(2);
  if (ctx.has_input(4)) {
    const auto steps = ctx.ints_of(4);
    if (!steps) return std::nullopt;
    lists.steps = *steps;
  } else {
    lists.steps.assign(sliced, 1);
  }
  ctx.check(
      lists.starts.size() == sliced && lists.ends.size() == sliced && lists.steps.size() == sliced,
      "{} axes are named, with {} starts, {} ends and {} steps; give one of each for each axis",
      sliced, lists.starts.size(), lists.ends.size(), lists.steps.size());
  for (const int64_t step : lists.steps)
    ctx.check(step != 0, "a step is 0; use a positive or negative one");
  return lists;
}

void infer(InferContext& ctx) {
  const std::optional<Lists> lists = lists_of(ctx);
  if (!lists) return ctx.output(0, unknown_dims(ctx.rank(0)));
  Dims out = ctx.dims(0);
  tenon::Shape first(out.size(), 0), steps(out.size(), 1);
  bool places_known = true;
  for (size_t i = 0; i < lists->axes.size(); ++i) {
    const size_t axis = lists->axes[i];
    const Dim size = out[axis], start = lists->starts[i], end = lists->ends[i];
    out[axis] = length(size, start, end, lists->steps[i]);
    places_known = places_known && size.is_const() && start.is_const() && end.is_const();
    if (!places_known) continue;
    first[axis] = slice_range(size.value(), start.value(), end.value(), lists->steps[i]).start;
    steps[axis] = lists->steps[i];
  }
  ctx.output(0, std::move(out));
  if (!places_known) return;
  move_values(ctx, 0, [&](tenon::Shape index) {
    for (size_t axis = 0; axis < index.rank(); ++axis)
      index[axis] = first[axis] + index[axis] * steps[axis];
    return index;
  });
}

Tensor view(std::span<const Tensor* const> inputs, const Attrs&, const tenon::Shape&) {
  const auto ints = [&](size_t i) {
    return i < inputs.size() && inputs[i]->defined() ? inputs[i]->to_vector<int64_t>()
                                                     : std::vector<int64_t>();
  };
  const std::vector<int64_t> starts = ints(1), ends = ints(2), axes = ints(3), steps = ints(4);
  Tensor out = *inputs[0];
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t axis = axes.empty() ? static_cast<int64_t>(i) : axes[i];
    const SliceRange range =
        slice_range(out.size(axis), starts[i], ends[i], steps.empty() ? 1 : steps[i]);
    if (range.count == 0) {
      out = out.slice(axis, 0, 0);
      continue;
    }
    // One step behind the last element; before the first one there is no place that counts from the
    // front.
    const int64_t last = range.start + (range.count - 1) * range.step;
    const int64_t end = range.step > 0 ? last + 1
                        : last > 0     ? last - 1
                                       : std::numeric_limits<int64_t>::min();
    out = out.slice(axis, range.start, end, range.step);
  }
  return out;
}

TensorList grad(const GradContext& ctx) {
  TensorList inputs{ctx.grad(), ctx.shape_of(0)};
  for (size_t i = 1; i < ctx.input_count(); ++i) inputs.push_back(ctx.input(i));
  TensorList out = ctx.none();
  out[0] = SliceGrad.all(inputs)[0];
  return out;
}

// Before opset 10 the lists were attributes.
TensorList from_attributes(const OnnxNode& node) {
  const auto list = [&](std::string_view name) {
    const AttrValue* value = node.attrs.find(name);
    return value ? Tensor::ints(std::get<std::vector<int64_t>>(*value)) : Tensor();
  };
  return {Slice(node.inputs[0], list("starts"), list("ends"), list("axes"))};
}

void lowered(OnnxNode& node) {
  if (node.opset >= 10) return;
  if (node.has_input(4))
    for (const int64_t step : node.constant_ints(4))
      TENON_CHECK(step == 1, unsupported,
                  "Slice '{}': opset {} has no steps, and one is {}; export at opset 10 or newer",
                  node.name, node.opset, step);
  if (node.inputs.size() > 4) node.inputs[4] = Tensor();
  lower::input_to_attr(node, 3, "axes");
  lower::input_to_attr(node, 2, "ends");
  lower::input_to_attr(node, 1, "starts");
}

void samples(Samples& s) {
  const Arg far = arg::ints({std::numeric_limits<int64_t>::max()});
  s.add({arg::any({4, 5}), arg::ints({1, 0}), arg::ints({3, 4})});
  s.add({arg::any({4, 5}), arg::ints({1}), far, arg::ints({-1})});
  s.add({arg::any({4, 5}), arg::ints({0, 1}), arg::ints({4, -1}), arg::ints({1, 0}),
         arg::ints({2, 1})});
  s.add({arg::any({5}), arg::ints({-1}), arg::ints({std::numeric_limits<int64_t>::min()}),
         arg::ints({0}), arg::ints({-2})});
  s.add({arg::any({5, 2}), arg::ints({3}), arg::ints({0}), arg::none(), arg::ints({-1})});
  s.add({arg::any({3, 2}), arg::ints({5}), arg::ints({9})});
  s.add({arg::any({3, 2}), arg::ints({-9}), arg::ints({9}), arg::ints({1})});
  s.add({arg::any({0, 2}), arg::ints({0}), far});
  s.bad({arg::any({4}), arg::ints({0}), arg::ints({4}), arg::ints({0}), arg::ints({0})}, {},
        "a step is 0");
  s.bad({arg::any({4}), arg::ints({0, 0}), arg::ints({4, 4})}, {}, "starts has 2 places, but");
  s.bad({arg::any({4}), arg::ints({0}), arg::ints({4, 4})}, {},
        "starts has 1 places but ends has 2");
  s.bad({arg::any({4}), arg::ints({0}), arg::ints({4}), arg::ints({1})}, {}, "axis 1 is outside");
}

}  // namespace

constinit const OpDef Slice{
    .name = "Slice",
    .doc = "Every step-th element from `starts` to before `ends`, on the named axes.",
    .inputs = {{"data", "T"},
               value("starts", "I"),
               value("ends", "I"),
               optional_value("axes", "I"),
               optional_value("steps", "I")},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType}, {"I", kIndex}},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1) | saves::input(2) | saves::input(3) | saves::input(4)},
    .onnx = {.since = 11, .older = {{1, from_attributes}, {10, upgrade::as_is}}, .lower = lowered},
    .quant = QuantRole::passes,
    .view = view,
    .samples = samples,
};

}  // namespace tenon::op
