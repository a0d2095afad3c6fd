// Pad: elements added around (or, where negative, taken from) each axis.
#include <algorithm>

#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/onnx_node.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"
#include "ops/shape/padding.h"

namespace tenon::op {

namespace {

// One axis of the output.
Dim padded(const InferContext& ctx, size_t axis, const Dim& begin, const Dim& end) {
  const Dim size = ctx.dims(0)[axis];
  const Dim out = size + begin + end;
  if (!size.is_const() || !begin.is_const() || !end.is_const()) return out;
  const int64_t kept =
      size.value() + std::min<int64_t>(begin.value(), 0) + std::min<int64_t>(end.value(), 0);
  ctx.check(kept >= 0, "pads {} and {} crop more than axis {} of {} has; crop {} at most",
            begin.str(), end.str(), axis, ctx.str(0), size.str());
  const bool grows = begin.value() > 0 || end.value() > 0;
  ctx.check(ctx.s("mode") == "constant" || kept > 0 || !grows,
            "mode {} has no element to repeat on axis {} of {}; use mode constant", ctx.s("mode"),
            axis, ctx.str(0));
  return out;
}

void infer(InferContext& ctx) {
  const size_t rank = ctx.rank(0);
  if (ctx.has_input(2)) {
    const Dim count = product(ctx.dims(2));
    ctx.check(!count.is_const() || count.value() == 1, "constant_value is {}; give one element",
              ctx.str(2));
  }
  const Dim given = list_size(ctx, 1);
  const Dim named = ctx.has_input(3) ? list_size(ctx, 3) : Dim(static_cast<int64_t>(rank));
  ctx.check(!given.is_const() || !named.is_const() || given == named * Dim(2),
            "pads has {} numbers for {} axes; give the begins of all axes, then the ends",
            given.str(), named.str());
  std::optional<std::vector<int64_t>> axes;
  if (ctx.has_input(3)) {
    axes = ctx.ints_of(3);
  } else {
    axes.emplace();
    for (size_t a = 0; a < rank; ++a) axes->push_back(static_cast<int64_t>(a));
  }
  const std::vector<size_t> padded_axes =
      axes ? distinct_axes(ctx, *axes, rank) : std::vector<size_t>();
  if (!axes || !ctx.values(1)) return ctx.output(0, unknown_dims(rank));
  const std::vector<Dim>& pads = *ctx.values(1);
  Dims out = ctx.dims(0);
  for (size_t i = 0; i < padded_axes.size(); ++i)
    out[padded_axes[i]] = padded(ctx, padded_axes[i], pads[i], pads[i + padded_axes.size()]);
  ctx.output(0, std::move(out));
}

// With repeated borders: each axis is a Gather of known places.
Tensor unpad(const GradContext& ctx) {
  const size_t rank = ctx.dims(0).size();
  const std::vector<int64_t> pads = ctx.ints_of(1);
  std::vector<int64_t> axes(pads.size() / 2);
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  if (ctx.has_input(3)) axes = ctx.ints_of(3);
  Tensor dx = ctx.grad();
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t begin = pads[i], end = pads[i + axes.size()];
    if (begin == 0 && end == 0) continue;
    const int64_t axis = normalize_axis(axes[i], rank, "Pad");
    const Dim& size = ctx.dims(0)[static_cast<size_t>(axis)];
    TENON_CHECK(
        size.is_const(), unsupported,
        "Pad: the gradient of mode {} needs the size of axis {} of {}; give the axis a fixed size",
        ctx.s("mode"), axis, str(ctx.dims(0)));
    Dims sizes = dx.dims();
    sizes[static_cast<size_t>(axis)] = size;
    const std::vector<int64_t> places = pad_places(ctx.s("mode"), size.value(), begin, end);
    dx = GatherGrad(dx, Tensor::ints(places), shape_tensor(sizes, dx), {{"axis", axis}});
  }
  return dx;
}

TensorList grad(const GradContext& ctx) {
  TensorList out = ctx.none();
  if (ctx.s("mode") != "constant") {
    out[0] = unpad(ctx);
    return out;
  }
  // Padding by the negative pads crops what was added.
  out[0] = Pad(ctx.grad(), Neg(ctx.input(1)), Tensor(), ctx.has_input(3) ? ctx.input(3) : Tensor());
  if (ctx.has_input(2) && ctx.needs(2)) {
    const Attrs all{{"keepdims", 0}};
    out[2] = ctx.reshape(ReduceSum(ctx.grad(), all) - ReduceSum(out[0], all), 2);
  }
  return out;
}

// Before opset 11 pads and value were attributes; before 2 pads was called paddings.
TensorList from_attributes(const OnnxNode& node) {
  const AttrValue* pads = node.attrs.find(node.attrs.has("pads") ? "pads" : "paddings");
  TENON_CHECK(pads && std::holds_alternative<std::vector<int64_t>>(*pads), data,
              "Pad '{}': attribute pads is missing; opset {} requires it", node.name, node.opset);
  TensorList inputs{node.inputs[0], Tensor::ints(std::get<std::vector<int64_t>>(*pads))};
  if (const AttrValue* constant = node.attrs.find("value"))
    inputs.push_back(Tensor::scalar(std::get<double>(*constant), node.inputs[0].dtype()));
  return Pad.all(inputs, node.attrs.without("pads").without("paddings").without("value"));
}

// Pads of named axes as pads of all axes.
void name_all_axes(OnnxNode& node) {
  const size_t rank = node.inputs[0].rank();
  const std::vector<int64_t> pads = node.constant_ints(1), axes = node.constant_ints(3);
  std::vector<int64_t> all(2 * rank, 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(normalize_axis(axes[i], rank, "Pad"));
    all[axis] = pads[i];
    all[axis + rank] = pads[i + axes.size()];
  }
  node.inputs[1] = Tensor::ints(all);
  node.inputs.resize(node.has_input(2) ? 3 : 2);
}

void lowered(OnnxNode& node) {
  const AttrValue* mode = node.attrs.find("mode");
  TENON_CHECK(!mode || std::get<std::string>(*mode) != "wrap", unsupported,
              "Pad '{}': opset {} has no mode wrap; export at opset 19 or newer", node.name,
              node.opset);
  if (node.has_input(3) && node.opset < 18) name_all_axes(node);
  if (node.opset >= 11) return;
  if (node.has_input(2)) {
    TENON_CHECK(!node.inputs[2].is_symbolic(), unsupported,
                "Pad '{}': constant_value is computed, but opset {} needs a constant; export at "
                "opset 11 or "
                "newer",
                node.name, node.opset);
    node.attrs = node.attrs.with({"value", node.inputs[2].item<double>()});
    node.inputs.resize(2);
  }
  lower::input_to_attr(node, 1, node.opset < 2 ? "paddings" : "pads");
}

void samples(Samples& s) {
  s.add({arg::any({2, 3}), arg::ints({0, 1, 2, 0})});
  s.add({arg::any({2, 3}), arg::ints({1, 1, 0, 2}), arg::any({})});
  s.add({arg::any({2, 3, 2}), arg::ints({1, 2}), arg::none(), arg::ints({-2})});
  s.add({arg::any({4, 3}), arg::ints({-1, 1, -2, 0}), arg::any({})});
  s.add({arg::any({2, 4}), arg::ints({1, 2, 0, 3})}, {{"mode", "reflect"}});
  s.add({arg::any({2, 3}), arg::ints({0, 2, 1, 1})}, {{"mode", "edge"}});
  s.add({arg::any({2, 3}), arg::ints({1, 4, 0, 2})}, {{"mode", "wrap"}});
  s.add({arg::any({5}), arg::ints({-2, 3})}, {{"mode", "reflect"}});
  s.add({arg::any({0, 2}), arg::ints({1, 0, 1, 0})});
  s.bad({arg::any({2, 3}), arg::ints({1, 1})}, {}, "pads has 2 numbers for 2 axes");
  s.bad({arg::any({2, 3}), arg::ints({-1, 0, -2, 0})}, {}, "crop more than axis 0 of");
  s.bad({arg::any({0, 3}), arg::ints({1, 0, 0, 0})}, {{"mode", "edge"}},
        "has no element to repeat on axis 0");
  s.bad({arg::any({2}), arg::ints({1, 1}), arg::any({2})}, {}, "give one element");
  s.bad({arg::any({2}), arg::ints({1, 1})}, {{"mode", "mirror"}}, "attribute mode is 'mirror'");
}

}  // namespace

constinit const OpDef Pad{
    .name = "Pad",
    .doc =
        "Adds elements around each axis: a constant, the border, or the tensor reflected or "
        "repeated.",
    .inputs = {{"data", "T"},
               value("pads", "S"),
               optional("constant_value", "T"),
               optional_value("axes", "I")},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType | kStored}, {"S", kInt64}, {"I", kIndex}},
    .attrs = {attr_s("mode", "constant", "constant|reflect|edge|wrap")},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1) | saves::input(3)},
    .onnx = {.since = 19, .older = {{1, from_attributes}, {11, upgrade::as_is}}, .lower = lowered},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
