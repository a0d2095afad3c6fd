// LinearRegressor: weighted sums of features.
#include "ops/grad.h"
#include "ops/math/catalog.h"
#include "ops/ml/catalog.h"
#include "ops/ml/feature_rows.h"
#include "ops/ml/scores.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const feature_rows::Rows rows = feature_rows::of(ctx);
  const int64_t targets = ctx.i("targets");
  const auto weights = static_cast<int64_t>(ctx.floats("coefficients").size());
  const auto intercepts = static_cast<int64_t>(ctx.floats("intercepts").size());
  ctx.check(targets > 0, "targets is {}; use 1 or more", targets);
  ctx.check(weights % targets == 0 &&
                (!rows.features.is_const() || weights / targets == rows.features.value()),
            "{} coefficients for {} targets and X {}; give one a target and feature", weights,
            targets, ctx.str(0));
  ctx.check(intercepts == 0 || intercepts == targets,
            "{} intercepts for {} targets; give one a target", intercepts, targets);
  ctx.output(0, {rows.count, targets});
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor x = feature_rows::as_matrix(ctx.input(0));
  const DType type = x.dtype() == DType::f64 ? DType::f64 : DType::f32;
  const int64_t targets = ctx.i("targets");
  const auto weights = ctx.floats("coefficients");
  const Tensor w = feature_rows::constant(
      weights, {targets, static_cast<int64_t>(weights.size()) / targets}, type);
  Tensor bias;
  if (!ctx.floats("intercepts").empty())
    bias = feature_rows::constant(ctx.floats("intercepts"), {targets}, type);
  const Tensor y = Gemm(x.to(type), w, bias, {{"transB", 1}});
  const auto how = scores::for_targets(scores::post_transform(ctx), targets);
  return {scores::transformed(y, how).to(DType::f32)};
}

void samples(Samples& s) {
  const auto list = [](std::string_view name, std::vector<double> values) {
    return Attr(name, AttrValue(std::move(values)));
  };
  const Attr six = list("coefficients", {0.5, -1, 0.25, 2, 0.125, -0.5});
  s.add({arg::any({4, 3})}, {list("coefficients", {0.5, -1, 2}), list("intercepts", {0.25})});
  s.add({arg::any({4, 3})}, {six, {"targets", 2}, list("intercepts", {0.25, -1})});
  s.add({arg::any({3})}, {six, {"targets", 2}});
  s.add({arg::any({0, 3})}, {six, {"targets", 2}});
  for (const char* post : {"SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"})
    s.add({arg::any({4, 3})}, {six, {"targets", 2}, {"post_transform", post}});
  s.add(
       {arg::range({4, 2}, 0.1, 0.9)},
       {list("coefficients", {0.25, 0.5, 0.5, 0.25}), {"targets", 2}, {"post_transform", "PROBIT"}})
      .types = kFloats;
  s.add({arg::any({2, 3})}, {list("coefficients", {1, 2, 3}), {"post_transform", "LOGISTIC"}});
  s.bad({arg::any({4, 2})}, {six, {"targets", 2}}, "6 coefficients for 2 targets and X f32[4, 2]");
  s.bad({arg::any({4, 3})}, {six, {"targets", 4}}, "6 coefficients for 4 targets");
  s.bad({arg::any({4, 3})}, {six, {"targets", 2}, list("intercepts", {1})},
        "1 intercepts for 2 targets");
  s.bad({arg::any({4, 3})}, {six, {"targets", 0}}, "targets is 0");
  s.bad({arg::any({})}, {six}, "give features as [rows, features] or [features]");
}

}  // namespace

constinit const OpDef LinearRegressor{
    .name = "LinearRegressor",
    .doc = "Weighted sums of the features of each row, one a target.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T", types(DType::f32, DType::f64, DType::i64, DType::i32)}, {"T2", kFloat32}},
    .attrs = {attr("coefficients", AttrType::floats), attr("intercepts", AttrType::floats),
              attr_s("post_transform", "NONE", scores::kPostTransforms), attr_i("targets", 1)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
