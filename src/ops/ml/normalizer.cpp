// Normalizer: rows divided by their largest element, or by their L1 or L2 norm.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/ml/catalog.h"
#include "ops/ml/feature_rows.h"
#include "ops/onnx_node.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const feature_rows::Rows rows = feature_rows::of(ctx);
  ctx.check(!rows.features.is_const() || rows.features.value() > 0 || ctx.s("norm") != "MAX",
            "X is {}; a row without features has no largest one", ctx.str(0));
  ctx.output(0, ctx.dims(0));
}

TensorList expand(const ExpandContext& ctx) {
  const DType type = ctx.input(0).dtype() == DType::f64 ? DType::f64 : DType::f32;
  const Tensor x = ctx.input(0).to(type);
  const Tensor axes = Tensor::ints({-1});
  const Tensor zero = constant_like(x, 0), one = constant_like(x, 1);
  // A divisor of 0 leaves the row as it is.
  const auto usable = [&](const Tensor& divisor) {
    return Where(Equal(divisor, zero), one, divisor);
  };
  Tensor divisor;
  if (ctx.s("norm") == "MAX")
    divisor = usable(ReduceMax(x, axes));
  else if (ctx.s("norm") == "L1")
    divisor = usable(ReduceSum(Abs(x), axes));
  else
    divisor = Sqrt(usable(ReduceSum(x * x, axes)));
  return {(x / divisor).to(DType::f32)};
}

void samples(Samples& s) {
  for (const char* norm : {"MAX", "L1", "L2"}) {
    // Rows with a small divisor are too curved for differences.
    s.add({arg::distinct({4, 3})}, {{"norm", norm}}).grad = false;
    s.add({arg::distinct({40})}, {{"norm", norm}});
    s.add({arg::range({2, 2}, 0.5, 2)}, {{"norm", norm}}).grad = std::string_view(norm) != "MAX";
    s.add({arg::fixed(Tensor::from<float>({0, 0, 3, -4}, {2, 2}))}, {{"norm", norm}});
    s.add({arg::any({0, 3})}, {{"norm", norm}});
  }
  s.add({arg::fixed(Tensor::from<int64_t>({-1, -2, 2, 5}, {2, 2}))});
  s.bad({arg::any({2, 2})}, {{"norm", "L3"}}, "use one of MAX, L1, L2");
  s.bad({arg::any({2, 2, 2})}, {}, "give features as [rows, features] or [features]");
  s.bad({arg::any({2, 0})}, {}, "a row without features has no largest one");
}

}  // namespace

constinit const OpDef Normalizer{
    .name = "Normalizer",
    .doc = "Each row divided by its largest element (MAX), its L1 or its L2 norm.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T", types(DType::f32, DType::f64, DType::i64, DType::i32)}, {"T2", kFloat32}},
    .attrs = {attr_s("norm", "MAX", "MAX|L1|L2")},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
