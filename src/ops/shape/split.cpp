// Split: a tensor cut into pieces along an axis.
#include <algorithm>
#include <optional>

#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"
#include "ops/shape/known_values.h"

namespace tenon::op {

namespace {

constexpr int64_t kMostPieces = 1 << 16;

// `count` pieces of equal size, the last ones smaller or empty where `size` is not a multiple.
Dims chunks(const Dim& size, int64_t count) {
  const Dim even = size.floor_div(count);
  if (even * count == size) return Dims(static_cast<size_t>(count), even);
  if (!size.is_const()) return Dims(static_cast<size_t>(count), Dim::unknown());
  const int64_t chunk = size.ceil_div(count).value();
  Dims out;
  for (int64_t i = 0; i < count; ++i)
    out.emplace_back(std::clamp<int64_t>(size.value() - i * chunk, 0, chunk));
  return out;
}

Dims given_sizes(const InferContext& ctx, const Dim& size) {
  if (!ctx.values(1)) {
    const Dim count = list_size(ctx, 1);
    ctx.check(!count.is_const() || count.value() <= kMostPieces,
              "split has {} sizes; use {} at most", count.str(), kMostPieces);
    return Dims(count.is_const() ? static_cast<size_t>(count.value()) : ctx.output_count(),
                Dim::unknown());
  }
  Dims sizes = *ctx.values(1);
  Dim total = 0;
  for (const Dim& part : sizes) {
    ctx.check(!part.is_const() || part.value() >= 0,
              "split {} has the size {}; sizes are 0 or more", str(sizes), part.str());
    total = total + part;
  }
  ctx.check(!total.is_const() || !size.is_const() || total == size,
            "split {} has the sum {}, but axis {} of {} has size {}; make them equal", str(sizes),
            total.str(), ctx.i("axis"), ctx.str(0), size.str());
  return sizes;
}

void infer(InferContext& ctx) {
  const size_t axis = ctx.axis(ctx.i("axis"), ctx.rank(0));
  const Dim size = ctx.dims(0)[axis];
  ctx.check(
      ctx.has_input(1) != ctx.has("num_outputs"), "{} given; give one of the two",
      ctx.has_input(1) ? "both split and num_outputs are" : "neither split nor num_outputs is");
  const int64_t wanted = ctx.has("num_outputs") ? ctx.i("num_outputs") : 1;
  ctx.check(wanted >= 1, "num_outputs={}; use 1 or more", wanted);
  ctx.check(wanted <= kMostPieces, "num_outputs={}; use {} at most", wanted, kMostPieces);
  const Dims sizes = ctx.has_input(1) ? given_sizes(ctx, size) : chunks(size, wanted);
  ctx.check(ctx.output_count() <= sizes.size(), "{} outputs asked for, but {} is split into {}",
            ctx.output_count(), ctx.str(0), sizes.size());
  std::optional<int64_t> start = 0;  // nothing behind a piece of unknown size
  for (size_t o = 0; o < ctx.output_count(); ++o) {
    Dims out = ctx.dims(0);
    out[axis] = sizes[o];
    ctx.output(o, std::move(out));
    if (!start || !sizes[o].is_const()) {
      start.reset();
      continue;
    }
    move_values(ctx, o, [&](tenon::Shape index) {
      index[axis] += *start;
      return index;
    });
    *start += sizes[o].value();
  }
}

// The pieces' gradients one behind the other, and zeros for pieces that nobody asked for.
TensorList grad(const GradContext& ctx) {
  const auto axis = static_cast<size_t>(normalize_axis(ctx.i("axis"), ctx.dims(0).size(), "Split"));
  TensorList parts;
  Dims rest = ctx.dims(0);
  for (size_t o = 0; o < ctx.output_count(); ++o) {
    parts.push_back(ctx.grad(o));
    rest[axis] = rest[axis] - ctx.output_dims(o)[axis];
  }
  const bool all = ctx.has("num_outputs")
                       ? ctx.i("num_outputs") == static_cast<int64_t>(parts.size())
                       : ctx.dims(1)[0] == Dim(static_cast<int64_t>(parts.size()));
  if (!all) parts.push_back(full(rest, 0, parts[0].dtype(), parts[0]));
  TensorList out = ctx.none();
  out[0] = Concat.all(parts, {{"axis", static_cast<int64_t>(axis)}})[0];
  return out;
}

// Before opset 18 equal pieces were as many as the node had outputs; before 13 `split` was an
// attribute.
TensorList upgraded(const OnnxNode& node) {
  OnnxNode now = node;
  if (!node.has_input(1) && !node.attrs.has("split"))
    now.attrs = node.attrs.with({"num_outputs", static_cast<int64_t>(node.output_count)});
  return upgrade::attr_to_input(now, "split", 1);
}

void lowered(OnnxNode& node) {
  if (const AttrValue* wanted = node.attrs.find("num_outputs"); wanted && node.opset < 18) {
    const int64_t count = std::get<int64_t>(*wanted);
    const AttrValue* given = node.attrs.find("axis");
    const size_t rank = node.inputs[0].rank();
    TENON_CHECK(rank > 0, unsupported,
                "Split '{}': opset {} needs the sizes of the pieces, and the shape of the input is "
                "not known; export at opset 18 or newer",
                node.name, node.opset);
    const int64_t axis = normalize_axis(given ? std::get<int64_t>(*given) : 0, rank, "Split");
    const Dims sizes = chunks(node.inputs[0].dims()[static_cast<size_t>(axis)], count);
    const bool equal =
        std::ranges::all_of(sizes, [&](const Dim& size) { return size == sizes[0]; });
    if (!equal || count != static_cast<int64_t>(node.output_count)) {
      const auto known = to_shape(sizes);
      TENON_CHECK(known, unsupported,
                  "Split '{}': opset {} cannot split the symbolic size of axis {} of {} into {} "
                  "pieces that "
                  "may differ; give the sizes as its second input or export at opset 18 or newer",
                  node.name, node.opset, axis, str(node.inputs[0].dims()), count);
      node.inputs.resize(1);
      node.inputs.push_back(Tensor::ints(std::span<const int64_t>(*known)));
    }
    node.attrs = node.attrs.without("num_outputs");
  }
  if (node.opset < 13) lower::input_to_attr(node, 1, "split");
}

void samples(Samples& s) {
  s.add({arg::any({4, 3})}, {{"num_outputs", 2}}).outputs = 2;
  s.add({arg::any({2, 7})}, {{"num_outputs", 3}, {"axis", -1}}).outputs = 3;
  s.add({arg::any({5})}, {{"num_outputs", 4}}).outputs = 4;
  s.add({arg::any({2, 6}), arg::ints({1, 3, 2})}, {{"axis", 1}}).outputs = 3;
  s.add({arg::any({3, 2, 2}), arg::ints({0, 3})}, {{"axis", 0}}).outputs = 2;
  s.add({arg::any({6}), arg::ints({1, 3, 2})}).outputs = 2;
  s.add({arg::any({0, 3})}, {{"num_outputs", 2}}).outputs = 2;
  s.bad({arg::any({4})}, {}, "neither split nor num_outputs is given");
  s.bad({arg::any({4}), arg::ints({4})}, {{"num_outputs", 1}},
        "both split and num_outputs are given");
  s.bad({arg::any({4}), arg::ints({1, 2})}, {}, "has the sum 3, but axis 0");
  s.bad({arg::any({4}), arg::ints({-1, 5})}, {}, "has the size -1");
  s.bad({arg::any({4})}, {{"num_outputs", 0}}, "num_outputs=0; use 1 or more");
  s.bad({arg::any({4})}, {{"num_outputs", 2}, {"axis", 1}}, "axis 1 is outside");
}

}  // namespace

constinit const OpDef Split{
    .name = "Split",
    .doc =
        "Cuts a tensor along `axis` into pieces of the sizes `split`, or into `num_outputs` equal "
        "ones.",
    .inputs = {{"input", "T"}, optional_value("split", "I")},
    .outputs = {variadic("outputs", "T")},
    .types = {{"T", kAnyType}, {"I", kInt64}},
    .attrs = {attr_i("axis", 0), attr("num_outputs", AttrType::i)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 18, .older = {{1, upgraded}}, .lower = lowered},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
