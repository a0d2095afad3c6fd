// OptionalHasElement: whether an optional holds something.
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/sequence/catalog.h"
#include "ops/sequence/elements.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) { ctx.output(0, Dims()); }

TensorList expand(const ExpandContext& ctx) {
  const bool has = ctx.has_input(0) &&
                   (ctx.input(0).dtype() != DType::optional || !ctx.input(0).elements().empty());
  return {Tensor::full({}, has ? 1 : 0, DType::boolean)};
}

void samples(Samples& s) {
  s.add({arg::fixed(Tensor::optional(Tensor::ones({2})))});
  s.add({arg::fixed(Tensor::optional())});
  s.add({arg::any({2})});
  s.add({});
  s.bad({arg::any({2}), arg::any({2})}, {}, "2 inputs given");
}

}  // namespace

constinit const OpDef OptionalHasElement{
    .name = "OptionalHasElement",
    .doc = "True where the input is given, and is no empty optional.",
    .inputs = {optional("input", "O")},
    .outputs = {{"output", "B"}},
    .types = {{"O", kOptional | kAnyType | kStored | kSequence}, {"B", kBool}},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("the result is a boolean"),
    .onnx = {.since = 18, .older = {{15, upgrade::as_is}}},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
