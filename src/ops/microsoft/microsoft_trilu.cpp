// com.microsoft.Trilu: ONNX's Trilu before it had one.
#include "ops/grad.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.output(0, microsoft::like(ctx, Trilu, ctx.attrs, {ctx.input(0), ctx.input(1)})[0].dims);
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor k = ctx.has_input(1) ? ctx.input(1) : Tensor();
  return Trilu.all({ctx.input(0), k}, ctx.attrs);
}

void samples(Samples& s) {
  s.add({arg::any({3, 4})});
  s.add({arg::any({2, 3, 3}), arg::int_scalar(1)}, {{"upper", 0}});
  s.bad({arg::any({3})}, {}, "Trilu: ");
}

}  // namespace

constinit const OpDef MicrosoftTrilu{
    .name = "Trilu",
    .doc = "The upper or lower triangle of each matrix, zeros elsewhere.",
    .inputs = {{"X", "T"}, optional("k", "I")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kNumeric | kBool}, {"I", kInt64}},
    .attrs = {attr_i("upper", 1)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
