// Reshape: the same elements under another shape.
#include <algorithm>

#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/axes.h"
#include "ops/shape/catalog.h"
#include "ops/shape/known_values.h"

namespace tenon::op {

namespace {

// The size that -1 stands for. Sizes on both sides cancel first, so that symbols vanish and [0, -1]
// works for an empty batch.
Dim left_over(const InferContext& ctx, const Dims& others) {
  Dims rest = ctx.dims(0);
  Dim taken = 1;
  for (const Dim& size : others) {
    const auto same = std::ranges::find(rest, size);
    if (same == rest.end())
      taken = taken * size;
    else
      rest.erase(same);
  }
  const Dim total = product(rest);
  const bool uneven = total.is_const() && taken.is_const() && taken.value() != 0 &&
                      total.value() % taken.value() != 0;
  ctx.check(!uneven && !(taken == Dim(0)),
            "{} cannot be divided over the sizes {} beside -1; give sizes whose product divides "
            "its number of "
            "elements",
            ctx.str(0), str(others));
  return total.floor_div(taken);
}

// The output's dims from the elements of the shape input.
Dims solve(const InferContext& ctx, const std::vector<Dim>& target) {
  const bool allow_zero = ctx.i("allowzero") != 0;
  Dims out, others;
  std::optional<size_t> free;
  bool has_zero = false;
  for (size_t i = 0; i < target.size(); ++i) {
    Dim size = target[i];
    if (size.is_unknown()) {
      size = Dim::unknown();  // the value may turn out to be 0 or -1, which stand for other sizes
    } else if (size.is_const() && size.value() == -1) {
      ctx.check(!free, "shape {} has -1 at {} and at {}; use it once", str(target),
                free.value_or(0), i);
      free = i;
      out.emplace_back(-1);
      continue;
    } else if (size.is_const() && size.value() == 0 && !allow_zero) {
      ctx.check(
          i < ctx.rank(0),
          "shape {} copies size {} of {}, which has {} axes; give a size, or set allowzero for an "
          "empty axis",
          str(target), i, ctx.str(0), ctx.rank(0));
      size = ctx.dims(0)[i];
    }
    ctx.check(!size.is_const() || size.value() >= 0,
              "shape {} has the size {}; sizes are 0 or more, or -1 for what is left", str(target),
              size.str());
    has_zero = has_zero || size == Dim(0);
    out.push_back(size);
    others.push_back(size);
  }
  if (free) {
    ctx.check(!allow_zero || !has_zero,
              "shape {} has both 0 and -1, so with allowzero anything would fit -1; give its size",
              str(target));
    out[*free] = left_over(ctx, others);
  } else {
    const Dim before = product(ctx.dims(0)), after = product(out);
    ctx.check(!before.is_const() || !after.is_const() || before == after,
              "{} has {} elements but shape {} has {}; make them equal or use -1 for one size",
              ctx.str(0), before.str(), str(target), after.str());
  }
  return out;
}

void infer(InferContext& ctx) {
  const Dim rank = list_size(ctx, 1);
  if (ctx.values(1)) {
    ctx.check(ctx.rank(1) == 1, "shape is the scalar {}; give a vector of sizes", ctx.str(1));
    ctx.output(0, solve(ctx, *ctx.values(1)));
  } else if (rank.is_const()) {
    ctx.output(0, unknown_dims(static_cast<size_t>(rank.value())));
  } else {
    ctx.output_unranked(0);
  }
  keep_values(ctx);
}

Tensor view(std::span<const Tensor* const> inputs, const Attrs&, const tenon::Shape& output) {
  return inputs[0]->try_view(output);
}

TensorList grad(const GradContext& ctx) { return {ctx.reshape(ctx.grad(), 0), {}}; }

TensorList from_attribute(const OnnxNode& node) {
  OnnxNode now = node;
  now.attrs = node.attrs.without("consumed_inputs");
  return upgrade::attr_to_input(now, "shape", 1);
}

void lowered(OnnxNode& node) {
  if (const AttrValue* allow = node.attrs.find("allowzero");
      allow && std::get<int64_t>(*allow) != 0) {
    const std::vector<int64_t> sizes = node.constant_ints(1);
    TENON_CHECK(
        std::ranges::find(sizes, 0) == sizes.end(), unsupported,
        "Reshape '{}': an empty axis needs allowzero, which opset {} lacks; export at opset 14 or "
        "newer",
        node.name, node.opset);
  }
  node.attrs = node.attrs.without("allowzero");
  if (node.opset < 5) lower::input_to_attr(node, 1, "shape");
}

void samples(Samples& s) {
  s.add({arg::any({2, 3}), arg::ints({3, 2})});
  s.add({arg::any({2, 3, 4}), arg::ints({0, -1})});
  s.add({arg::any({4}), arg::ints({2, 1, 2, 1})});
  s.add({arg::any({1, 1}), arg::ints({})});
  s.add({arg::any({}), arg::ints({1, 1})});
  s.add({arg::any({0, 3}), arg::ints({0, -1})});
  s.add({arg::any({2, 0, 3}), arg::ints({3, 0})}, {{"allowzero", 1}});
  s.bad({arg::any({2, 3}), arg::ints({4, 2})}, {}, "has 6 elements but shape [4, 2] has 8");
  s.bad({arg::any({2, 3}), arg::ints({-1, -1})}, {}, "has -1 at 0 and at 1; use it once");
  s.bad({arg::any({2, 3}), arg::ints({4, -1})}, {}, "cannot be divided over the sizes [4]");
  s.bad({arg::any({2, 3}), arg::ints({2, 3, 0})}, {}, "copies size 2 of");
  s.bad({arg::any({2, 3}), arg::ints({-2, 3})}, {}, "has the size -2");
  s.bad({arg::any({0, 3}), arg::ints({0, -1})}, {{"allowzero", 1}}, "has both 0 and -1");
}

}  // namespace

constinit const OpDef Reshape{
    .name = "Reshape",
    .doc =
        "The same elements in row-major order under another shape; 0 copies a size, -1 is what is "
        "left.",
    .inputs = {{"data", "T"}, value("shape", "I")},
    .outputs = {{"reshaped", "T"}},
    .types = {{"T", kAnyType | kStored}, {"I", kInt64}},
    .attrs = {attr_i("allowzero", 0)},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::nothing},
    .onnx = {.since = 14, .older = {{1, from_attribute}, {5, upgrade::as_is}}, .lower = lowered},
    .quant = QuantRole::passes,
    .view = view,
    .samples = samples,
};

}  // namespace tenon::op
