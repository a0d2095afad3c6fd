// SplitToSequence: the pieces of a tensor along an axis, as a sequence.
#include <algorithm>

#include "ops/catalog.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/sequence/elements.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  TensorType piece = common_type(ctx.input(0), ctx.input(0));
  TensorType made = TensorType::sequence_of(piece);
  if (piece.ranked) {
    const size_t axis = ctx.axis(ctx.i("axis"), piece.dims.size());
    const Dim size = piece.dims[axis];
    if (ctx.has_input(1)) {
      ctx.check(!ctx.input(1).ranked || ctx.rank(1) <= 1,
                "split is {}; give one size, or a list of them", ctx.str(1));
      piece.dims[axis] = Dim::unknown();
      if (const auto sizes = ctx.ints_of(1)) {
        for (int64_t part : *sizes)
          ctx.check(part > 0 || (part == 0 && ctx.rank(1) == 1),
                    "split has the size {}; use 1 or more", part);
        int64_t total = 0;
        for (int64_t part : *sizes) total += part;
        ctx.check(ctx.rank(1) == 0 || !size.is_const() || total == size.value(),
                  "the sizes in split add up to {}, but axis {} of {} has size {}; make them equal",
                  total, axis, ctx.str(0), size.str());
        if (std::ranges::all_of(*sizes, [&](int64_t part) { return part == (*sizes)[0]; }) &&
            !sizes->empty() &&
            (ctx.rank(1) == 1 || (size.is_const() && size.value() % (*sizes)[0] == 0)))
          piece.dims[axis] = Dim((*sizes)[0]);
        made.dims = {ctx.rank(1) == 1 ? Dim(static_cast<int64_t>(sizes->size()))
                                      : size.ceil_div((*sizes)[0])};
      }
    } else {
      made.dims = {size};
      piece.dims[axis] = Dim(1);
      if (ctx.i("keepdims") == 0)
        piece.dims.erase(piece.dims.begin() + static_cast<ptrdiff_t>(axis));
    }
    made = TensorType{.dtype = made.dtype,
                      .dims = made.dims,
                      .element = std::make_shared<const TensorType>(piece)};
  }
  ctx.output(0, made);
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor& x = ctx.input(0);
  const int64_t axis = normalize_axis(ctx.i("axis"), x.rank(), "SplitToSequence");
  const int64_t size = x.size(axis);
  std::vector<int64_t> sizes;
  if (ctx.has_input(1)) sizes = ctx.input(1).to_vector<int64_t>();
  if (!ctx.has_input(1) || ctx.input(1).rank() == 0) {
    const int64_t step = sizes.empty() ? 1 : sizes[0];
    sizes.clear();
    for (int64_t at = 0; at < size; at += step) sizes.push_back(std::min(step, size - at));
  }
  TensorList pieces;
  if (!sizes.empty())
    pieces = Split.all({x, Tensor::ints(std::span<const int64_t>(sizes))}, {{"axis", axis}},
                       sizes.size());
  if (!ctx.has_input(1) && ctx.i("keepdims") == 0)
    for (Tensor& piece : pieces) piece = Squeeze(piece, Tensor::ints({axis}));
  return {Tensor::sequence(pieces)};
}

void samples(Samples& s) {
  s.add({arg::any({3, 2})});
  s.add({arg::any({2, 3})}, {{"axis", -1}, {"keepdims", 0}});
  s.add({arg::any({5, 2}), arg::int_scalar(2)});
  s.add({arg::any({2, 6}), arg::ints({1, 2, 3})}, {{"axis", 1}});
  s.bad({arg::any({3})}, {{"axis", 1}}, "axis 1 is outside");
  s.bad({arg::any({3}), arg::ints({1, 1})}, {}, "the sizes in split add up to 2");
  s.bad({arg::any({3}), arg::int_scalar(0)}, {}, "split has the size 0");
}

}  // namespace

constinit const OpDef SplitToSequence{
    .name = "SplitToSequence",
    .doc = "The pieces of a tensor along `axis`, of the sizes `split`, or of size 1.",
    .inputs = {{"input", "T"}, optional_value("split", "I")},
    .outputs = {{"output_sequence", "S"}},
    .types = {{"T", kAnyType}, {"I", kIndex}, {"S", kSequence}},
    .attrs = {attr_i("axis", 0), attr_i("keepdims", 1)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable(sequences::kElementsKeepGradients),
    .onnx = {.since = 11},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
