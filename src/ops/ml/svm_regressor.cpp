// SVMRegressor: support vector regression, and the sign of it for one-class detection.
#include "ops/grad.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/ml/catalog.h"
#include "ops/ml/feature_rows.h"
#include "ops/ml/svm_rules.h"
#include "ops/onnx_node.h"
#include "ops/reduce/catalog.h"
#include "ops/samples.h"
#include "ops/shape/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const feature_rows::Rows rows = feature_rows::of(ctx);
  svm_rules::kernel_of(ctx);
  const int64_t count = ctx.i("n_supports");
  const auto weights = static_cast<int64_t>(ctx.floats("coefficients").size());
  const auto values = static_cast<int64_t>(ctx.floats("support_vectors").size());
  ctx.check(count >= 0, "n_supports is {}; use 0 or more", count);
  ctx.check(!ctx.floats("rho").empty(), "rho is missing; give one number");
  ctx.check(weights > 0 && (count == 0 || weights == count),
            "{} coefficients for {} support vectors; give one a vector", weights, count);
  ctx.check(count == 0 || (values > 0 && values % count == 0),
            "support_vectors has {} values for {} vectors; give as many for each", values, count);
  const int64_t features = count == 0 ? weights : values / count;
  ctx.check(!rows.features.is_const() || rows.features.value() == features,
            "X is {}, but the model has {} features; give as many", ctx.str(0), features);
  ctx.output(0, {rows.count, Dim(1)});
}

// The kernel's values [rows, vectors].
Tensor kernel_values(const svm_rules::Kernel& kernel, const Tensor& x, const Tensor& vectors) {
  using svm_rules::Function;
  if (kernel.function == Function::rbf) {
    // Not by the product, whose digits cancel where x is near a vector.
    const Tensor apart = Unsqueeze(x, Tensor::ints({1})) - vectors;
    const Tensor square = ReduceSum(apart * apart, Tensor::ints({2}), {{"keepdims", 0}});
    return Exp(square * -kernel.gamma);
  }
  const Tensor product = Gemm(x, vectors, {{"transB", 1}});
  if (kernel.function == Function::linear) return product;
  const Tensor inner = product * kernel.gamma + kernel.coef0;
  return kernel.function == Function::poly ? Pow(inner, constant_like(inner, kernel.degree))
                                           : Tanh(inner);
}

TensorList expand(const ExpandContext& ctx) {
  const DType type = ctx.input(0).dtype() == DType::f64 ? DType::f64 : DType::f32;
  const Tensor x = feature_rows::as_matrix(ctx.input(0)).to(type);
  const auto weights = ctx.floats("coefficients");
  const Tensor w = feature_rows::constant(weights, {1, static_cast<int64_t>(weights.size())}, type);
  const Tensor bias = feature_rows::constant(ctx.floats("rho").first(1), {1}, type);
  const int64_t count = ctx.i("n_supports");
  Tensor values = x;  // without vectors it is a linear function of the features
  if (count > 0) {
    const auto vectors = ctx.floats("support_vectors");
    values =
        kernel_values(svm_rules::kernel_of(ctx), x,
                      feature_rows::constant(
                          vectors, {count, static_cast<int64_t>(vectors.size()) / count}, type));
  }
  Tensor y = Gemm(values, w, bias, {{"transB", 1}});
  if (ctx.i("one_class") != 0)
    y = Where(Greater(y, constant_like(y, 0)), constant_like(y, 1), constant_like(y, -1));
  return {y.to(DType::f32)};
}

void samples(Samples& s) {
  const auto list = [](std::string_view name, std::vector<double> values) {
    return Attr(name, AttrValue(std::move(values)));
  };
  const Attrs model({{"n_supports", 2},
                     list("support_vectors", {0, 0.5, 1, -1, 1, 0.25}),
                     list("coefficients", {1.5, -0.5}),
                     list("kernel_params", {0.25, 0.5, 3}),
                     list("rho", {0.125})});
  for (const char* type : {"LINEAR", "POLY", "RBF", "SIGMOID"})
    s.add({arg::any({4, 3})}, model.with({"kernel_type", type}));
  s.add({arg::any({4, 3})}, model.with({"kernel_type", "RBF"}).with({"one_class", 1})).grad = false;
  s.add({arg::any({4, 3})}, model.with({"post_transform", "LOGISTIC"}));
  s.add({arg::any({3})}, model.with({"kernel_type", "RBF"}));
  s.add({arg::any({0, 3})}, model);
  s.add({arg::any({2, 2})}, {list("coefficients", {1.5, -0.5}), list("rho", {0.125})});
  const Arg x = arg::any({4, 3});
  s.bad({arg::any({4, 2})}, model, "X is f32[4, 2], but the model has 3 features");
  s.bad({x}, model.with({"n_supports", 3}), "2 coefficients for 3 support vectors");
  s.bad({x}, model.without("rho"), "rho is missing");
  s.bad({x}, model.with(list("support_vectors", {1, 2, 3})), "3 values for 2 vectors");
  s.bad({x}, model.with(list("kernel_params", {1})), "kernel_params has 1 values");
  s.bad({arg::any({})}, model, "give features as [rows, features] or [features]");
}

}  // namespace

constinit const OpDef SVMRegressor{
    .name = "SVMRegressor",
    .doc =
        "A weighted sum of each row's kernel values with the support vectors; with one_class 1 or "
        "-1, whether the row is like them.",
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T", types(DType::f32, DType::f64, DType::i64, DType::i32)}, {"T2", kFloat32}},
    .attrs = {attr("coefficients", AttrType::floats), attr("kernel_params", AttrType::floats),
              attr_s("kernel_type", "LINEAR", svm_rules::kFunctions), attr_i("n_supports", 0),
              attr_i("one_class", 0), attr_s("post_transform", "NONE", scores::kPostTransforms),
              attr("rho", AttrType::floats), attr("support_vectors", AttrType::floats)},
    // post_transform is taken and left aside, as in ONNX Runtime: there is one score.
    .infer = infer,
    .expand = expand,
    .grad = through_expansion,
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
