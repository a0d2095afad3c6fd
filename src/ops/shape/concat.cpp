// Concat: tensors one behind the other along an axis.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"
#include "ops/shape/known_values.h"

namespace tenon::op {

namespace {

// Puts together what is known of one size that several inputs share.
void agree(const InferContext& ctx, Dim& size, size_t input, size_t axis) {
  const Dim& other = ctx.dims(input)[axis];
  if (size.is_const() && other.is_const())
    ctx.check(size == other, "{} and {} differ on axis {}; only axis {} may differ", ctx.str(0),
              ctx.str(input), axis, ctx.i("axis"));
  if (!size.is_const() && (other.is_const() || (size.is_unknown() && !other.is_unknown())))
    size = other;
}

void infer(InferContext& ctx) {
  const size_t axis = ctx.axis(ctx.i("axis"), ctx.rank(0));
  Dims out = ctx.dims(0);
  for (size_t i = 1; i < ctx.input_count(); ++i) {
    ctx.check(ctx.rank(i) == ctx.rank(0),
              "{} and {} have different numbers of axes; make them equal", ctx.str(0), ctx.str(i));
    for (size_t a = 0; a < out.size(); ++a)
      if (a != axis) agree(ctx, out[a], i, a);
    out[axis] = out[axis] + ctx.dims(i)[axis];
  }
  ctx.output(0, std::move(out));

  std::vector<KnownValues> parts;
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    std::optional<KnownValues> part = known_values(ctx, i);
    if (!part) return;
    parts.push_back(std::move(*part));
  }
  say_values(ctx, 0, [&](const tenon::Shape& index) {
    tenon::Shape local = index;
    size_t part = 0;
    while (local[axis] >= parts[part].shape[axis]) local[axis] -= parts[part++].shape[axis];
    int64_t at = 0;
    for (size_t a = 0; a < local.rank(); ++a) at = at * parts[part].shape[a] + local[a];
    return parts[part].elements[static_cast<size_t>(at)];
  });
}

TensorList grad(const GradContext& ctx) {
  const size_t count = ctx.input_count();
  const auto axis =
      static_cast<size_t>(normalize_axis(ctx.i("axis"), ctx.dims(0).size(), "Concat"));
  Dims sizes;
  for (size_t i = 0; i < count; ++i) sizes.push_back(ctx.dims(i)[axis]);
  Tensor split;
  if (const auto known = to_shape(sizes)) {
    split = Tensor::ints(std::span<const int64_t>(*known));
  } else {
    TensorList parts;
    for (size_t i = 0; i < count; ++i)
      parts.push_back(
          Gather(ctx.shape_of(i), Tensor::ints({static_cast<int64_t>(axis)}), {{"axis", 0}}));
    split = Concat.all(parts, {{"axis", 0}})[0];
  }
  return Split.all({ctx.grad(), split}, {{"axis", static_cast<int64_t>(axis)}}, count);
}

// Opsets 1 to 3 had axis 1 as a default.
TensorList with_default_axis(const OnnxNode& node) {
  return Concat.all(node.inputs,
                    node.attrs.has("axis") ? node.attrs : node.attrs.with({"axis", 1}));
}

void samples(Samples& s) {
  s.add({arg::any({2, 3}), arg::any({1, 3})}, {{"axis", 0}});
  s.add({arg::any({2, 3}), arg::any({2, 2}), arg::any({2, 1})}, {{"axis", -1}});
  s.add({arg::any({2, 3, 2}), arg::any({2, 1, 2})}, {{"axis", 1}});
  s.add({arg::any({3})}, {{"axis", 0}});
  s.add({arg::any({0, 3}), arg::any({2, 3})}, {{"axis", 0}});
  s.add({arg::any({2, 0}), arg::any({1, 0})}, {{"axis", 0}});
  s.bad({arg::any({2, 3}), arg::any({2, 4})}, {{"axis", 0}},
        "differ on axis 1; only axis 0 may differ");
  s.bad({arg::any({2, 3}), arg::any({3})}, {{"axis", 0}}, "different numbers of axes");
  s.bad({arg::any({2, 3})}, {{"axis", 2}}, "axis 2 is outside");
  s.bad({arg::any({})}, {{"axis", 0}}, "axis 0 is outside");
}

}  // namespace

constinit const OpDef Concat{
    .name = "Concat",
    .doc = "Joins tensors along `axis`; their other sizes are equal.",
    .inputs = {variadic("inputs", "T")},
    .outputs = {{"concat_result", "T"}},
    .types = {{"T", kAnyType}},
    .attrs = {required("axis", AttrType::i)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 11, .older = {{1, with_default_axis}, {4, upgrade::as_is}}},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
