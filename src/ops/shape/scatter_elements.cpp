// ScatterElements: a copy of a tensor with single elements replaced or combined.
#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"
#include "ops/shape/scattering.h"

namespace tenon::op {

namespace {

TensorList grad(const GradContext& ctx) {
  const Attrs axis{{"axis", ctx.i("axis")}};
  TensorList out = ctx.none();
  const bool adds = adds_updates(ctx);
  if (ctx.needs(0))
    out[0] = adds ? ctx.grad() : ScatterElements(ctx.grad(), ctx.input(1), zero_updates(ctx), axis);
  if (ctx.needs(2)) out[2] = GatherElements(ctx.grad(), ctx.input(1), axis);
  return out;
}

void samples(Samples& s) {
  const Arg indices = arg::fixed(Tensor::from<int64_t>({0, 2, -1, 1}, {2, 2}));
  const Arg twice = arg::fixed(Tensor::from<int32_t>({1, 1, 0, 2}, {2, 2}));
  s.add({arg::any({3, 2}), indices, arg::any({2, 2})});
  s.add({arg::any({2, 3}), indices, arg::any({2, 2})}, {{"axis", 1}});
  for (const char* reduction : {"add", "mul", "max", "min"}) {
    Sample& sample = s.add({arg::any({3, 3}), twice, arg::any({2, 2})},
                           {{"axis", -1}, {"reduction", reduction}});
    sample.types = kNumeric;
    sample.grad = std::string_view(reduction) == "add";
  }
  s.add({arg::any({3, 2}), arg::fixed(Tensor::from<int64_t>({}, {0, 2})), arg::any({0, 2})});
  s.bad({arg::any({3, 2}), arg::ints({0}), arg::any({1})}, {}, "give all the same number of axes");
  s.bad({arg::any({3, 2}), indices, arg::any({2, 1})}, {},
        "differ on axis 1; give one update for each index");
  s.bad({arg::any({3, 1}), indices, arg::any({2, 2})}, {}, "only axis 0 may be longer");
  s.bad({arg::any({2, 2}), indices, arg::any({2, 2})}, {}, "index 2 is outside axis 0 of size 2");
  s.bad({arg::typed({3, 2}, DType::boolean), indices, arg::typed({2, 2}, DType::boolean)},
        {{"reduction", "add"}}, "reduction add computes, and data is bool[3, 2]");
  s.bad({arg::any({3, 2}), indices, arg::any({2, 2})}, {{"reduction", "mean"}},
        "attribute reduction is 'mean'");
}

}  // namespace

constinit const OpDef ScatterElements{
    .name = "ScatterElements",
    .doc =
        "output[indices[i][j]][j] = updates[i][j] for axis 0, or that combined with what is there.",
    .inputs = {{"data", "T"}, {"indices", "I"}, {"updates", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", kAnyType}, {"I", kIndex}},
    .attrs = {attr_i("axis", 0), kScatterReduction},
    .infer = infer_scatter_elements,
    .expand = primitive,
    .grad = {grad, saves::input(1)},
    .onnx = {.since = 18, .older = {{11, upgrade::as_is}}, .lower = lower_scatter},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
