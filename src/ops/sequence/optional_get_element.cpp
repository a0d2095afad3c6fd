// OptionalGetElement: what an optional holds.
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/sequence/catalog.h"
#include "ops/sequence/elements.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  if (ctx.dtype(0) != DType::optional)
    return ctx.output(0, common_type(ctx.input(0), ctx.input(0)));
  const TensorType element = sequences::element_of(ctx, 0);
  ctx.check(element.dtype != DType::undefined,
            "the optional holds nothing; ask OptionalHasElement first");
  ctx.output(0, element);
}

TensorList expand(const ExpandContext& ctx) {
  if (ctx.input(0).dtype() != DType::optional) return {ctx.input(0)};
  const auto elements = ctx.input(0).elements();
  TENON_CHECK(!elements.empty(), usage,
              "OptionalGetElement: the optional holds nothing; ask OptionalHasElement first");
  return {elements[0]};
}

void samples(Samples& s) {
  s.add({arg::fixed(Tensor::optional(Tensor::ones({2})))});
  s.add({arg::fixed(Tensor::optional(Tensor::sequence({Tensor::ones({2})})))});
  s.add({arg::any({2})});
  s.bad({arg::fixed(Tensor::optional())}, {}, "the optional holds nothing");
}

}  // namespace

constinit const OpDef OptionalGetElement{
    .name = "OptionalGetElement",
    .doc = "What an optional holds; anything else is its own element.",
    .inputs = {{"input", "O"}},
    .outputs = {{"output", "V"}},
    .types = {{"O", kOptional | kAnyType | kStored | kSequence},
              {"V", kAnyType | kStored | kSequence}},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable(
        "an optional is no tensor; outside graphs its element keeps its gradient"),
    .onnx = {.since = 18, .older = {{15, upgrade::as_is}}},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
