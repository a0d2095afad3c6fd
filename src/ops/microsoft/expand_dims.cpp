// ExpandDims: an axis of size 1 put in.
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/microsoft/microsoft_rules.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const auto axis = ctx.ints_of(1);
  ctx.check(product(ctx.dims(1)) == Dim(1), "axis is {}; give one number", ctx.str(1));
  if (!axis) return ctx.output_unranked(0);
  Dims dims = ctx.dims(0);
  const size_t at = ctx.axis(axis->front(), dims.size() + 1);
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(at), 1);
  ctx.output(0, dims);
}

TensorList expand(const ExpandContext& ctx) {
  return {Unsqueeze(ctx.input(0), ctx.input(1).to(DType::i64).view({1}))};
}

void samples(Samples& s) {
  const auto axis = [](int32_t value) { return arg::fixed(Tensor::from<int32_t>({value}, {})); };
  s.add({arg::any({2, 3}), axis(1)});
  s.add({arg::any({2, 3}), axis(-1)});
  s.add({arg::any({}), axis(0)});
  s.bad({arg::any({2, 3}), axis(3)}, {}, "ExpandDims: axis 3 is outside");
}

}  // namespace

constinit const OpDef ExpandDims{
    .name = "ExpandDims",
    .doc = "X with an axis of size 1 before `axis`.",
    .inputs = {{"X", "T"}, value("axis", "I")},
    .outputs = {{"Y", "T"}},
    .types = {{"T", kAnyType}, {"I", types(DType::i32)}},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = microsoft::kDomain, .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
