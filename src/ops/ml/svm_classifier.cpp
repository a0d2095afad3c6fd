// SVMClassifier: support vector classification as LIBSVM has it, or one linear function a class.
#include "ops/grad.h"
#include "ops/ml/catalog.h"
#include "ops/ml/feature_rows.h"
#include "ops/ml/svm_rules.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const feature_rows::Rows rows = feature_rows::of(ctx);
  const svm_rules::Classifier svm = svm_rules::read_classifier(ctx);
  ctx.check(!rows.features.is_const() || rows.features.value() == svm.features,
            "X is {}, but the vectors have {} features; give as many", ctx.str(0), svm.features);
  ctx.output(0, {rows.count},
             ctx.strings("classlabels_strings").empty() ? DType::i64 : DType::string);
  ctx.output(1, {rows.count, svm.score_count()});
}

using Floats = std::vector<double>;

Attr with_floats(std::string_view name, Floats values) {
  return {name, AttrValue(std::move(values))};
}
Attr with_ints(std::string_view name, std::vector<int64_t> values) {
  return {name, AttrValue(std::move(values))};
}

// Three classes with two, one and one vectors of three features.
Attrs three_classes(const char* type) {
  return Attrs({{"kernel_type", type},
                with_floats("kernel_params", {0.25, 0.5, 3}),
                with_floats("support_vectors", {0, 0.5, 1, 1, -1, 0.5, -1, 1, 0, 0.5, 0.5, -2}),
                with_ints("vectors_per_class", {2, 1, 1}),
                with_floats("coefficients", {1, 0.5, -1, -0.75, 0.5, 1, 0.25, -1}),
                with_floats("rho", {0.1, -0.2, 0.3}),
                {"classlabels_strings", AttrValue(std::vector<std::string>{"a", "b", "c"})}});
}
Attrs two_classes() {
  return Attrs({{"kernel_type", "RBF"},
                with_floats("kernel_params", {0.5, 0, 0}),
                with_floats("support_vectors", {0, 1, 1, 0, -1, 1}),
                with_ints("vectors_per_class", {1, 2}),
                with_floats("coefficients", {1, -0.5, -0.5}),
                with_floats("rho", {-0.05}),
                with_ints("classlabels_ints", {3, 4})});
}
Attrs linear() {
  return Attrs({with_floats("coefficients", {1, -1, 0.5, 0.25, -0.5, 2}),
                with_floats("rho", {0.125}), with_ints("classlabels_ints", {1, 2, 3})});
}

void samples(Samples& s) {
  const auto add = [&](const tenon::Shape& x, const Attrs& attrs) {
    s.add({arg::any(x)}, attrs).outputs = 2;
  };
  for (const char* type : {"LINEAR", "POLY", "RBF", "SIGMOID"}) add({4, 3}, three_classes(type));
  const Attrs likely = three_classes("RBF")
                           .with(with_floats("prob_a", {-1.5, -2, -1}))
                           .with(with_floats("prob_b", {0.1, -0.1, 0.2}));
  add({4, 3}, likely);
  add({4, 2}, two_classes().with(with_floats("prob_a", {-2})).with(with_floats("prob_b", {0.1})));
  for (const char* post : {"NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"}) {
    add({4, 2}, two_classes().with({"post_transform", post}));
    add({4, 3}, three_classes("RBF").with({"post_transform", post}));
    add({4, 2}, linear().with({"post_transform", post}));
  }
  add({2}, linear());
  add({0, 3}, likely);
  const Arg x = arg::any({4, 3});
  const Attrs good = three_classes("RBF");
  s.bad({arg::any({4, 2})}, good, "X is f32[4, 2], but the vectors have 3 features");
  s.bad({x}, good.with(with_floats("rho", {1})), "rho has 1 values");
  s.bad({x}, good.with(with_floats("coefficients", {1})), "coefficients has 1 values");
  s.bad({x}, good.with(with_floats("kernel_params", {1})), "kernel_params has 1 values");
  s.bad({x}, good.with(with_ints("vectors_per_class", {4})), "vectors_per_class has 1 entries");
  s.bad({x}, good.with(with_ints("vectors_per_class", {2, 2, 1})), "12 values for 5 vectors");
  s.bad({x}, good.with(with_floats("prob_a", {1})), "prob_a has 1 values but prob_b has 0");
  s.bad({x}, good.without("classlabels_strings"), "none of classlabels_ints");
  s.bad({x}, good.with({"kernel_type", "CUBIC"}), "use one of LINEAR, POLY, RBF, SIGMOID");
}

}  // namespace

constinit const OpDef SVMClassifier{
    .name = "SVMClassifier",
    .doc =
        "The class that most pairs of classes decide for, and their decisions or, with prob_a and "
        "prob_b, the probability of each class.",
    .inputs = {{"X", "T1"}},
    .outputs = {{"Y", "T2"}, optional("Z", "T3")},
    .types = {{"T1", types(DType::f32, DType::f64, DType::i64, DType::i32)},
              {"T2", kString | kInt64},
              {"T3", kFloat32}},
    .attrs = {attr("classlabels_ints", AttrType::ints),
              attr("classlabels_strings", AttrType::strings),
              attr("coefficients", AttrType::floats), attr("kernel_params", AttrType::floats),
              attr_s("kernel_type", "LINEAR", svm_rules::kFunctions),
              attr_s("post_transform", "NONE", scores::kPostTransforms),
              attr("prob_a", AttrType::floats), attr("prob_b", AttrType::floats),
              attr("rho", AttrType::floats), attr("support_vectors", AttrType::floats),
              attr("vectors_per_class", AttrType::ints)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("its classes are voted for, and its probabilities iterated"),
    .onnx = {.domain = "ai.onnx.ml", .since = 1},
    .samples = samples,
};

}  // namespace tenon::op
