// SequenceInsert: a sequence with one more element.
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/sequence/catalog.h"
#include "ops/sequence/elements.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const TensorType before = sequences::element_of(ctx, 0);
  const TensorType added = common_type(ctx.input(1), ctx.input(1));
  ctx.check(before.dtype == DType::undefined || before.dtype == added.dtype,
            "{} is inserted into a {}; a sequence is of one type", added.str(), ctx.str(0));
  TensorType made = TensorType::sequence_of(
      before.dtype == DType::undefined ? added : common_type(before, added));
  if (ctx.input(0).ranked) made.dims = {ctx.dims(0)[0] + 1};
  ctx.output(0, made);
}

TensorList expand(const ExpandContext& ctx) {
  const auto before = ctx.input(0).elements();
  TensorList elements(before.begin(), before.end());
  const auto count = static_cast<int64_t>(elements.size());
  const int64_t at = ctx.has_input(2) ? sequences::position(ctx, ctx.input(2), count, true) : count;
  elements.insert(elements.begin() + at, ctx.input(1));
  return {Tensor::sequence(elements)};
}

void samples(Samples& s) {
  const Tensor two = Tensor::sequence({Tensor::ones({2}), Tensor::zeros({3, 1})});
  s.add({arg::fixed(two), arg::typed({4}, DType::f32)});
  s.add({arg::fixed(two), arg::typed({4}, DType::f32), arg::int_scalar(0)});
  s.add({arg::fixed(two), arg::typed({}, DType::f32), arg::int_scalar(-1)});
  s.add({arg::fixed(Tensor::sequence({})), arg::typed({2}, DType::i64)});
  s.bad({arg::fixed(two), arg::typed({4}, DType::f32), arg::int_scalar(3)}, {},
        "position 3 is outside");
  s.bad({arg::fixed(two), arg::typed({4}, DType::i64)}, {}, "a sequence is of one type");
}

}  // namespace

constinit const OpDef SequenceInsert{
    .name = "SequenceInsert",
    .doc = "The sequence with `tensor` inserted before `position`, at the end where none is given.",
    .inputs = {{"input_sequence", "S"}, {"tensor", "T"}, optional("position", "I")},
    .outputs = {{"output_sequence", "S"}},
    .types = {{"S", kSequence}, {"I", kIndex}, {"T", kAnyType | kStored}},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable(sequences::kElementsKeepGradients),
    .onnx = {.since = 11},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
