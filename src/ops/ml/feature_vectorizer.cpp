// FeatureVectorizer: the features of several inputs, one behind the other.
#include "ops/grad.h"
#include "ops/ml/catalog.h"
#include "ops/ml/feature_rows.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const auto sizes = ctx.ints("inputdimensions");
  ctx.check(sizes.empty() || sizes.size() == ctx.input_count(),
            "inputdimensions has {} sizes for {} inputs; give one an input", sizes.size(),
            ctx.input_count());
  Dim count, features = 0;
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    const feature_rows::Rows rows = feature_rows::of(ctx, i);
    if (i == 0) count = rows.count;
    ctx.check(!count.is_const() || !rows.count.is_const() || count == rows.count,
              "{} and {} differ in their rows; give the same ones", ctx.str(0), ctx.str(i));
    if (!count.is_const()) count = rows.count;
    ctx.check(sizes.empty() || sizes[i] >= 0, "inputdimensions holds {}; use 0 or more",
              sizes.empty() ? 0 : sizes[i]);
    features = features + (sizes.empty() ? rows.features : Dim(sizes[i]));
  }
  ctx.output(0, {count, features});
}

// Exactly `size` columns: cut, or filled up with zeros.
Tensor fit(const Tensor& x, int64_t size) {
  const Dim features = x.dims()[1];
  if (features.is_const() && features.value() == size) return x;
  const Tensor axes = Tensor::ints({1});
  const Tensor wide = Pad(x, Tensor::ints({0, size}), {}, axes);
  return Slice(wide, Tensor::ints({0}), Tensor::ints({size}), axes);
}

TensorList expand(const ExpandContext& ctx) {
  const auto sizes = ctx.ints("inputdimensions");
  TensorList pieces;
  for (size_t i = 0; i < ctx.input_count(); ++i) {
    const Tensor x = feature_rows::as_matrix(ctx.input(i)).to(DType::f32);
    pieces.push_back(sizes.empty() ? x : fit(x, sizes[i]));
  }
  return {Concat.all(pieces, {{"axis", 1}})[0]};
}

void samples(Samples& s) {
  const auto sizes = [](std::vector<int64_t> values) {
    return Attr("inputdimensions", AttrValue(std::move(values)));
  };
  s.add({arg::any({2, 3}), arg::any({2, 1})}, {sizes({3, 1})});
  s.add({arg::any({2, 3}), arg::any({2, 2})}, {sizes({2, 4})});
  s.add({arg::any({3}), arg::any({2})});
  s.add({arg::any({2, 2})});
  s.add({arg::any({0, 2}), arg::any({0, 1})});
  s.bad({arg::any({2, 3}), arg::any({1, 3})}, {}, "differ in their rows");
  s.bad({arg::any({2, 3})}, {sizes({3, 1})}, "2 sizes for 1 inputs");
  s.bad({arg::any({2, 3})}, {sizes({-1})}, "inputdimensions holds -1");
  s.bad({arg::any({2, 3, 1})}, {}, "give features as [rows, features] or [features]");
}

}  // namespace

constinit const OpDef FeatureVectorizer{
    .name = "FeatureVectorizer",
    .doc =
        "The features of all inputs as one row of floats; `inputdimensions` cuts them or fills "
        "them up with zeros.",
    .inputs = {variadic("X", "T1")},
    .outputs = {{"Y", "T2"}},
    .types = {{"T1", types(DType::f32, DType::f64, DType::i64, DType::i32)}, {"T2", kFloat32}},
    .attrs = {attr("inputdimensions", AttrType::ints)},
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
