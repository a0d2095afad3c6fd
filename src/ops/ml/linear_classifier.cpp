// LinearClassifier: the class with the largest weighted sum of features.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/ml/catalog.h"
#include "ops/ml/feature_rows.h"
#include "ops/ml/scores.h"
#include "ops/ml/trees.h"
#include "ops/onnx_node.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

int64_t label_count(const Call& call) {
  return static_cast<int64_t>(
      std::max(call.ints("classlabels_ints").size(), call.strings("classlabels_strings").size()));
}

// Scores a row: one a class, or one alone for two classes (and for one).
int64_t score_count(const Call& call, const Dim& features) {
  const auto weights = static_cast<int64_t>(call.floats("coefficients").size());
  const auto intercepts = static_cast<int64_t>(call.floats("intercepts").size());
  if (intercepts > 0) return intercepts;
  return features.is_const() && features.value() > 0 ? weights / features.value()
                                                     : label_count(call);
}

void infer(InferContext& ctx) {
  const feature_rows::Rows rows = feature_rows::of(ctx);
  const Tensor labels = trees::class_labels(ctx, "classlabels_ints", "classlabels_strings");
  const int64_t classes = label_count(ctx), scores = score_count(ctx, rows.features);
  const auto weights = static_cast<int64_t>(ctx.floats("coefficients").size());
  ctx.check(scores > 0 && weights % scores == 0 &&
                (!rows.features.is_const() || weights / scores == rows.features.value()),
            "{} coefficients for {} scores and X {}; give one a score and feature", weights, scores,
            ctx.str(0));
  ctx.check(scores == classes || (scores == 1 && classes == 2),
            "{} scores for {} classes; give one a class, or one for two", scores, classes);
  ctx.output(0, {rows.count}, labels.dtype());
  ctx.output(1, {rows.count, classes});
}

TensorList expand(const ExpandContext& ctx) {
  const Tensor x = feature_rows::as_f32(feature_rows::as_matrix(ctx.input(0)));
  const auto weights = ctx.floats("coefficients");
  const int64_t count = score_count(ctx, x.dims()[1]);
  const Tensor w =
      feature_rows::constant(weights, {count, static_cast<int64_t>(weights.size()) / count});
  Tensor bias;
  if (!ctx.floats("intercepts").empty())
    bias = feature_rows::constant(ctx.floats("intercepts"), {count});
  const Tensor sums = Gemm(x, w, bias, {{"transB", 1}});
  const Tensor labels = trees::class_labels(ctx, "classlabels_ints", "classlabels_strings");
  const auto how = scores::post_transform(ctx);
  if (count > 1) {
    const Tensor best = ArgMax(sums, {{"axis", 1}, {"keepdims", 0}});
    return {Gather(labels, best), scores::transformed(sums, how)};
  }
  // One score: above 0 is the second class. As in ONNX Runtime, of the transforms LOGISTIC and
  // PROBIT count.
  const Tensor above = Squeeze(Greater(sums, constant_like(sums, 0)), Tensor::ints({1}));
  const bool logistic = how == scores::PostTransform::logistic;
  Tensor z = sums;
  if (label_count(ctx) == 2)
    z = Concat.all({logistic ? -sums : 1.0 - sums, sums}, {{"axis", 1}})[0];
  if (logistic || how == scores::PostTransform::probit) z = scores::transformed(z, how);
  return {Gather(labels, above.to(DType::i64)), z};
}

void samples(Samples& s) {
  const auto list = [](std::string_view name, std::vector<double> values) {
    return Attr(name, AttrValue(std::move(values)));
  };
  const Attr words("classlabels_strings", AttrValue(std::vector<std::string>{"a", "b", "c"}));
  const Attr pair("classlabels_ints", {5, 7});
  const Attr six = list("coefficients", {0.5, -1, 0.25, 2, 0.125, -0.5});
  const Attr biases = list("intercepts", {0.25, -1, 0.5});
  const auto add = [&](const tenon::Shape& x, const Attrs& attrs) -> Sample& {
    Sample& sample = s.add({arg::any(x)}, attrs);
    sample.outputs = 2;
    return sample;
  };
  add({5, 2}, {six, words, biases});
  add({5, 2}, {six, words});
  for (const char* post : {"SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"})
    add({5, 2}, {six, words, biases, {"post_transform", post}});
  add({5, 3}, {six, pair, list("intercepts", {-0.5, 0.5}), {"multi_class", 1}});
  add({5, 6}, {six, pair, list("intercepts", {0.125})});
  add({5, 6}, {six, pair, {"post_transform", "LOGISTIC"}});
  add({5, 6}, {six, Attr("classlabels_ints", AttrValue(std::vector<int64_t>{3}))});
  add({2}, {six, words});
  add({0, 2}, {six, words, biases});
  s.add({arg::range({3, 2}, 0.1, 0.9)},
        {list("coefficients", {0.25, 0.5}), pair, {"post_transform", "PROBIT"}})
      .types = kFloats;
  const Arg x = arg::any({5, 2});
  s.bad({x}, {six, pair, biases}, "3 scores for 2 classes");
  s.bad({arg::any({5, 4})}, {six, words, biases}, "6 coefficients for 3 scores and X f32[5, 4]");
  s.bad({x}, {six, biases}, "none of classlabels_ints and classlabels_strings given");
  s.bad({x}, {words}, "attribute coefficients is missing");
  s.bad({arg::any({})}, {six, words}, "give features as [rows, features] or [features]");
}

}  // namespace

constinit const OpDef LinearClassifier{
    .name = "LinearClassifier",
    .doc = "The class with the largest weighted sum of a row's features, and all sums.",
    .inputs = {{"X", "T1"}},
    .outputs = {{"Y", "T2"}, optional("Z", "T3")},
    .types = {{"T1", types(DType::f32, DType::f64, DType::i64, DType::i32)},
              {"T2", kString | kInt64},
              {"T3", kFloat32}},
    .attrs = {attr("classlabels_ints", AttrType::ints),
              attr("classlabels_strings", AttrType::strings),
              required("coefficients", AttrType::floats), attr("intercepts", AttrType::floats),
              attr_i("multi_class", 0),  // how it was trained; it changes nothing here
              attr_s("post_transform", "NONE", scores::kPostTransforms)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
