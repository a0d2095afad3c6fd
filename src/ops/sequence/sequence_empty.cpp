// SequenceEmpty: a sequence without elements.
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/sequence/catalog.h"
#include "ops/sequence/elements.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const int64_t number = ctx.i("dtype");
  ctx.check(number > 0 && number < kTensorTypeCount,
            "dtype={} is not the number of an element type; use one of TensorProto.DataType",
            number);
  TensorType element;
  element.dtype = static_cast<DType>(number);
  element.ranked = false;
  TensorType made = TensorType::sequence_of(std::move(element));
  made.dims = {Dim(0)};
  ctx.output(0, made);
}

TensorList expand(const ExpandContext&) { return {Tensor::sequence({})}; }

void samples(Samples& s) {
  s.add({});
  s.add({}, {{"dtype", 7}});
  s.bad({}, {{"dtype", 99}}, "dtype=99 is not the number of an element type");
}

}  // namespace

constinit const OpDef SequenceEmpty{
    .name = "SequenceEmpty",
    .doc = "A sequence without elements, of tensors of type `dtype`.",
    .inputs = {},
    .outputs = {{"output", "S"}},
    .types = {{"S", kSequence}},
    .attrs = {attr_i("dtype", static_cast<int64_t>(DType::f32))},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable(sequences::kElementsKeepGradients),
    .onnx = {.since = 11},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
