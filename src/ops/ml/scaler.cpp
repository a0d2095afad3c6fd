// Scaler: (X - offset) * scale, feature by feature.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/ml/catalog.h"
#include "ops/ml/feature_rows.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.check(ctx.rank(0) > 0, "X is {}; give features on its last axis", ctx.str(0));
  const Dim& features = ctx.dims(0).back();
  for (const char* list : {"offset", "scale"}) {
    const auto count = static_cast<int64_t>(ctx.floats(list).size());
    ctx.check(count <= 1 || !features.is_const() || features.value() == count,
              "{} has {} values for X {}; give one, or one a feature", list, count, ctx.str(0));
  }
  ctx.output(0, ctx.dims(0));
}

TensorList expand(const ExpandContext& ctx) {
  const DType type = ctx.input(0).dtype() == DType::f64 ? DType::f64 : DType::f32;
  Tensor y = ctx.input(0).to(type);
  const auto values = [&](std::span<const double> list) {
    return feature_rows::constant(list, {static_cast<int64_t>(list.size())}, type);
  };
  if (!ctx.floats("offset").empty()) y = y - values(ctx.floats("offset"));
  if (!ctx.floats("scale").empty()) y = y * values(ctx.floats("scale"));
  return {y.to(DType::f32)};
}

void samples(Samples& s) {
  const auto list = [](std::string_view name, std::vector<double> values) {
    return Attr(name, AttrValue(std::move(values)));
  };
  s.add({arg::any({4, 3})}, {list("offset", {1, -0.5, 2}), list("scale", {0.5, 2, -1})});
  s.add({arg::any({4, 3})}, {list("offset", {0.5}), list("scale", {3})});
  s.add({arg::any({3})}, {list("scale", {1, 2, 3})});
  s.add({arg::any({2, 2, 2})}, {list("offset", {1, 2})});
  s.add({arg::any({0, 3})}, {list("offset", {1, 2, 3})});
  s.add({arg::any({2, 2})});
  s.bad({arg::any({4, 3})}, {list("offset", {1, 2})}, "offset has 2 values for X f32[4, 3]");
  s.bad({arg::any({})}, {}, "give features on its last axis");
  s.bad({arg::typed({2}, DType::boolean)}, {}, "Scaler: input X is bool[2]");
}

}  // namespace

constinit const OpDef Scaler{
    .name = "Scaler",
    .doc = "(X - offset) * scale, where both are one number or one a feature.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T", types(DType::f32, DType::f64, DType::i64, DType::i32)}, {"T2", kFloat32}},
    .attrs = {attr("offset", AttrType::floats), attr("scale", AttrType::floats)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
