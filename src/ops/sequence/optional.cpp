// Optional: a value that may be absent.
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/sequence/catalog.h"
#include "ops/sequence/elements.h"
#include "ops/sequence/type_text.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.has_input(0) || ctx.has("type"),
            "neither input nor type is given; give a value, or the type of the absent one");
  TensorType element;
  if (ctx.has_input(0)) {
    element = common_type(ctx.input(0), ctx.input(0));
  } else {
    const auto parsed = parse_type_text(ctx.s("type"));
    ctx.check(parsed.has_value(),
              "type \"{}\" is none; write one such as \"tensor(float)\" or \"seq(tensor(float))\"",
              ctx.s("type"));
    element = *parsed;
  }
  TensorType made = TensorType::optional_of(std::move(element));
  made.dims = {Dim(ctx.has_input(0) ? 1 : 0)};
  ctx.output(0, made);
}

TensorList expand(const ExpandContext& ctx) {
  return {Tensor::optional(ctx.has_input(0) ? ctx.input(0) : Tensor())};
}

void samples(Samples& s) {
  s.add({arg::any({2})});
  s.add({arg::fixed(Tensor::sequence({Tensor::ones({2})}))});
  s.add({}, {{"type", "seq(tensor(float))"}});
  s.bad({}, {}, "neither input nor type is given");
  s.bad({}, {{"type", "tensor(flout)"}}, "type \"tensor(flout)\" is none");
}

}  // namespace

constinit const OpDef Optional{
    .name = "Optional",
    .doc = "An optional that holds the input; without one, an empty optional of `type`.",
    .inputs = {optional("input", "V")},
    .outputs = {{"output", "O"}},
    .types = {{"V", kAnyType | kStored | kSequence}, {"O", kOptional}},
    .attrs = {attr("type", AttrType::s)},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable(
        "an optional is no tensor; outside graphs its element keeps its gradient"),
    .onnx = {.since = 15},
    .structural = true,
    .samples = samples,
};

}  // namespace tenon::op
