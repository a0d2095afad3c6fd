// Scatter: ScatterElements under the name it had in opsets 9 and 10; import renames it.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"
#include "ops/shape/scattering.h"

namespace tenon::op {

namespace {

TensorList expand(const ExpandContext& ctx) {
  return {ScatterElements(ctx.input(0), ctx.input(1), ctx.input(2), ctx.attrs)};
}

TensorList renamed(const OnnxNode& node) { return ScatterElements.all(node.inputs, node.attrs); }

void samples(Samples& s) {
  const Arg indices = arg::fixed(Tensor::from<int64_t>({0, 2, -1, 1}, {2, 2}));
  s.add({arg::any({3, 2}), indices, arg::any({2, 2})});
  s.add({arg::any({2, 3}), indices, arg::any({2, 2})}, {{"axis", -1}});
  s.bad({arg::any({3, 2}), indices, arg::any({2, 1})}, {},
        "differ on axis 1; give one update for each index");
}

}  // namespace

constinit const OpDef Scatter{
    .name = "Scatter",
    .doc = "ScatterElements without reduction: its name before opset 11.",
    .inputs = {{"data", "T"}, {"indices", "I"}, {"updates", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType}, {"I", kIndex}},
    .attrs = {attr_i("axis", 0)},
    .infer = infer_scatter_elements,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.since = 11, .older = {{9, renamed}}},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
