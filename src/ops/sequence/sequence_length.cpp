// SequenceLength: how many elements a sequence has.
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/sequence/catalog.h"
#include "ops/sequence/elements.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.output(0, Dims());
  if (ctx.input(0).ranked && !ctx.dims(0)[0].is_unknown()) ctx.output_values(0, {ctx.dims(0)[0]});
}

TensorList expand(const ExpandContext& ctx) {
  return {Tensor::from<int64_t>({static_cast<int64_t>(ctx.input(0).elements().size())}, {})};
}

void samples(Samples& s) {
  s.add({arg::fixed(Tensor::sequence({Tensor::ones({2}), Tensor::zeros({3, 1})}))});
  s.add({arg::fixed(Tensor::sequence({}))});
  s.bad({arg::typed({2}, DType::f32)}, {}, "it takes sequence");
}

}  // namespace

constinit const OpDef SequenceLength{
    .name = "SequenceLength",
    .doc = "How many elements a sequence has.",
    .inputs = {{"input_sequence", "S"}},
    .outputs = {{"length", "I"}},
    .types = {{"S", kSequence}, {"I", kInt64}},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("the result is a number of elements"),
    .onnx = {.since = 11},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
