// SequenceErase: a sequence with one element less.
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/sequence/catalog.h"
#include "ops/sequence/elements.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  TensorType made = ctx.input(0);
  made.dims = {made.ranked ? made.dims[0] - 1 : Dim::unknown()};
  ctx.output(0, made);
}

TensorList expand(const ExpandContext& ctx) {
  const auto before = ctx.input(0).elements();
  TensorList elements(before.begin(), before.end());
  const auto count = static_cast<int64_t>(elements.size());
  TENON_CHECK(count > 0, usage, "SequenceErase: the sequence is empty; there is nothing to erase");
  elements.erase(elements.begin() + (ctx.has_input(1)
                                         ? sequences::position(ctx, ctx.input(1), count, false)
                                         : count - 1));
  return {Tensor::sequence(elements)};
}

void samples(Samples& s) {
  const Tensor two = Tensor::sequence({Tensor::ones({2}), Tensor::zeros({3, 1})});
  s.add({arg::fixed(two)});
  s.add({arg::fixed(two), arg::int_scalar(0)});
  s.add({arg::fixed(two), arg::int_scalar(-2)});
  s.bad({arg::fixed(two), arg::int_scalar(2)}, {}, "position 2 is outside");
  s.bad({arg::fixed(Tensor::sequence({}))}, {}, "the sequence is empty");
}

}  // namespace

constinit const OpDef SequenceErase{
    .name = "SequenceErase",
    .doc = "The sequence without its element at `position`, without its last where none is given.",
    .inputs = {{"input_sequence", "S"}, optional("position", "I")},
    .outputs = {{"output_sequence", "S"}},
    .types = {{"S", kSequence}, {"I", kIndex}},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable(sequences::kElementsKeepGradients),
    .onnx = {.since = 11},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
