// SequenceConstruct: a sequence of tensors.
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/sequence/catalog.h"
#include "ops/sequence/elements.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.input_count() > 0,
            "0 inputs given; SequenceEmpty makes a sequence without elements");
  TensorType element = common_type(ctx.input(0), ctx.input(0));
  for (size_t i = 1; i < ctx.input_count(); ++i) element = common_type(element, ctx.input(i));
  TensorType made = TensorType::sequence_of(std::move(element));
  made.dims = {Dim(static_cast<int64_t>(ctx.input_count()))};
  ctx.output(0, made);
}

TensorList expand(const ExpandContext& ctx) {
  TensorList elements;
  for (size_t i = 0; i < ctx.input_count(); ++i) elements.push_back(ctx.input(i));
  return {Tensor::sequence(elements)};
}

void samples(Samples& s) {
  s.add({arg::any({2, 3}), arg::any({4})});
  s.add({arg::any({})});
  s.bad({arg::any({2}), arg::typed({2}, DType::string)}, {}, "cast one so that both have one type");
  s.bad({}, {}, "0 inputs given");
}

}  // namespace

constinit const OpDef SequenceConstruct{
    .name = "SequenceConstruct",
    .doc = "A sequence of the inputs, which are of one type and of any shapes.",
    .inputs = {variadic("inputs", "T")},
    .outputs = {{"output_sequence", "S"}},
    .types = {{"T", kAnyType | kStored}, {"S", kSequence}},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable(sequences::kElementsKeepGradients),
    .onnx = {.since = 11},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
