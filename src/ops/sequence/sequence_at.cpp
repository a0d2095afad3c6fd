// SequenceAt: one element of a sequence.
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/sequence/catalog.h"
#include "ops/sequence/elements.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const TensorType element = sequences::element_of(ctx, 0);
  ctx.check(element.dtype != DType::undefined, "{} holds no elements, nor is known of what type",
            ctx.str(0));
  ctx.output(0, element);
}

TensorList expand(const ExpandContext& ctx) {
  const auto elements = ctx.input(0).elements();
  const auto count = static_cast<int64_t>(elements.size());
  return {elements[static_cast<size_t>(sequences::position(ctx, ctx.input(1), count, false))]};
}

void samples(Samples& s) {
  const Tensor two = Tensor::sequence({Tensor::ones({2}), Tensor::zeros({3, 1})});
  s.add({arg::fixed(two), arg::int_scalar(0)});
  s.add({arg::fixed(two), arg::int_scalar(-1)});
  s.bad({arg::fixed(two), arg::int_scalar(2)}, {},
        "position 2 is outside a sequence of 2 elements");
  s.bad({arg::typed({2}, DType::f32), arg::int_scalar(0)}, {}, "it takes sequence");
}

}  // namespace

constinit const OpDef SequenceAt{
    .name = "SequenceAt",
    .doc = "The element at `position`, which counts from the end where it is negative.",
    .inputs = {{"input_sequence", "S"}, {"position", "I"}},
    .outputs = {{"tensor", "T"}},
    .types = {{"S", kSequence}, {"I", kIndex}, {"T", kAnyType | kStored}},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable(sequences::kElementsKeepGradients),
    .onnx = {.since = 11},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
