// com.microsoft.Range: ONNX's Range, whose step is 1 where none is given.
#include "ops/grad.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  TensorType one = ctx.input(2);
  if (!ctx.has_input(2)) one = TensorType::of(Tensor::scalar(1, ctx.dtype(0)), true);
  ctx.output(0, microsoft::like(ctx, Range, {}, {ctx.input(0), ctx.input(1), one})[0]);
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor one = ctx.has_input(2) ? ctx.input(2) : constant_like(ctx.input(0), 1);
  return {Range(ctx.input(0), ctx.input(1), one)};
}

void samples(Samples& s) {
  s.add({arg::int_scalar(1), arg::int_scalar(5)});
  s.add({arg::fixed(Tensor::scalar(0.0)), arg::fixed(Tensor::scalar(1.0)),
         arg::fixed(Tensor::scalar(0.25))});
  s.bad({arg::int_scalar(0), arg::int_scalar(5), arg::int_scalar(0)}, {}, "Range: delta is 0");
}

}  // namespace

constinit const OpDef MicrosoftRange{
    .name = "Range",
    .doc = "start, start + delta, ... to before `limit`.",
    .inputs = {value("start", "T"), value("limit", "T"), optional_value("delta", "T")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", types(DType::f32, DType::f64, DType::i16, DType::i32, DType::i64)}},
    .infer = infer,
    .expand = expand,
    .grad = not_differentiable("its inputs decide how many elements there are"),
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
