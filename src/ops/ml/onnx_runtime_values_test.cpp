// Where the standard leaves the scores of classifiers open, ONNX Runtime decides: what its version
// 1.30 computes for small models, on every backend.
#include <gtest/gtest.h>

#include "ops/ml/catalog.h"
#include "runtime/dispatch.h"

namespace tenon {

namespace {

using Ints = std::vector<int64_t>;
using Floats = std::vector<double>;

Attr ints(std::string_view name, Ints values) { return {name, AttrValue(std::move(values))}; }
Attr floats(std::string_view name, Floats values) { return {name, AttrValue(std::move(values))}; }

Tensor features() { return Tensor::from<float>({0.5, -1, 2, 0.25, -1.5, 1}, {3, 2}); }

void expect(const OpDef& op, const Attrs& attrs, const Ints& labels, const Floats& scores) {
  SCOPED_TRACE(attrs.str());
  for (const Backend backend : {Backend::reference, Backend::automatic}) {
    const BackendScope scope(backend);
    const TensorList outputs = op.all({features()}, attrs, 2);
    EXPECT_EQ(outputs[0].to_vector<int64_t>(), labels);
    const Floats z = outputs[1].to_vector<double>();
    ASSERT_EQ(z.size(), scores.size());
    for (size_t i = 0; i < z.size(); ++i) EXPECT_NEAR(z[i], scores[i], 1e-5) << i;
  }
}

Attrs rbf(Floats vectors, Ints of_class, Floats coefficients, Floats rho, Ints labels) {
  return Attrs({{"kernel_type", "RBF"},
                floats("kernel_params", {0.5, 0, 3}),
                floats("support_vectors", std::move(vectors)),
                ints("vectors_per_class", std::move(of_class)),
                floats("coefficients", std::move(coefficients)),
                floats("rho", std::move(rho)),
                ints("classlabels_ints", std::move(labels))});
}

TEST(OnnxRuntimeValues, SupportVectorsOfThreeClasses) {
  const Attrs svm = rbf({0, 0.5, 1, -1, -1, 1, 0.5, -2}, {2, 1, 1},
                        {1, 0.5, -1, -0.75, 0.5, 1, 0.25, -1}, {0.125, -0.25, 0.375}, {1, 2, 3});
  expect(op::SVMClassifier, svm, {1, 1, 2},
         {0.80881631, 0.32085130, -0.22054644, 0.38663092, 0.07390380, 0.35126719, -0.46801898,
          -0.10192896, 0.59412080});
  expect(op::SVMClassifier,
         svm.with(floats("prob_a", {-1.5, -2, -1})).with(floats("prob_b", {0.125, -0.125, 0.25})),
         {1, 1, 2},
         {0.55630970, 0.17848077, 0.26520967, 0.41784304, 0.28911170, 0.29304534, 0.23206264,
          0.46691722, 0.30102023});
}

TEST(OnnxRuntimeValues, SupportVectorsOfTwoClasses) {
  const Attrs svm = rbf({0, 1, 1, 0, -1, 1}, {1, 2}, {1, -0.5, -0.5}, {-0.0625}, {3, 4});
  expect(op::SVMClassifier, svm, {4, 4, 4},
         {0.23266622, -0.23266622, 0.25847116, -0.25847116, 0.19242053, -0.19242053});
  expect(op::SVMClassifier, svm.with({"post_transform", "LOGISTIC"}), {4, 4, 4},
         {0.55790555, 0.44209445, 0.56426042, 0.43573958, 0.54795724, 0.45204276});
}

TEST(OnnxRuntimeValues, OneLinearScoreForTwoClasses) {
  const Attrs linear({floats("coefficients", {1.5, -0.5}), floats("intercepts", {-0.5}),
                      ints("classlabels_ints", {5, 6})});
  expect(op::LinearClassifier, linear, {6, 6, 5}, {0.25, 0.75, -1.375, 2.375, 4.25, -3.25});
  expect(op::LinearClassifier, linear.with({"post_transform", "LOGISTIC"}), {6, 6, 5},
         {0.32082129, 0.67917871, 0.08509904, 0.91490096, 0.96267307, 0.03732693});
}

// One node: x0 <= 0.5.
Attrs stump(Ints votes_for, Floats weights, int64_t classes) {
  Ints nodes, labels;
  for (size_t i = 0; i < weights.size(); ++i) nodes.push_back(i < weights.size() / 2 ? 1 : 2);
  for (int64_t i = 0; i < classes; ++i) labels.push_back(i);
  return Attrs({ints("nodes_treeids", {0, 0, 0}),
                ints("nodes_nodeids", {0, 1, 2}),
                ints("nodes_featureids", {0, 0, 0}),
                {"nodes_modes", AttrValue(std::vector<std::string>{"BRANCH_LEQ", "LEAF", "LEAF"})},
                floats("nodes_values", {0.5, 0, 0}),
                ints("nodes_truenodeids", {1, 0, 0}),
                ints("nodes_falsenodeids", {2, 0, 0}),
                ints("class_treeids", Ints(weights.size(), 0)),
                ints("class_nodeids", std::move(nodes)),
                ints("class_ids", std::move(votes_for)),
                floats("class_weights", std::move(weights)),
                ints("classlabels_int64s", std::move(labels))});
}

TEST(OnnxRuntimeValues, TreesThatVoteForOneOfTwoClasses) {
  const Attrs positive = stump({0, 0}, {0.25, 0.75}, 2), margin = stump({0, 0}, {-0.25, 0.75}, 2);
  const Attrs second = stump({1, 1}, {-0.25, 0.75}, 2);
  const auto with_logistic = [](const Attrs& attrs) {
    return attrs.with({"post_transform", "LOGISTIC"});
  };
  const Ints labels{0, 1, 0};
  const OpDef& op = op::TreeEnsembleClassifier;
  expect(op, positive, labels, {0.75, 0.25, 0.25, 0.75, 0.75, 0.25});
  expect(op, with_logistic(positive), labels,
         {0.43782347, 0.56217653, 0.32082129, 0.67917871, 0.43782347, 0.56217653});
  expect(op, margin, labels, {0.25, -0.25, -0.75, 0.75, 0.25, -0.25});
  expect(op, with_logistic(margin), labels,
         {0.56217653, 0.43782347, 0.32082129, 0.67917871, 0.56217653, 0.43782347});
  expect(op, second, labels, {0, -0.25, 0, 0.75, 0, -0.25});
  expect(op, with_logistic(second), labels, {0.5, 0.43782347, 0.5, 0.67917871, 0.5, 0.43782347});
  expect(op, with_logistic(margin).with(floats("base_values", {0.5})), {1, 1, 1},
         {0.43782347, 0.56217653, 0.22270012, 0.77729988, 0.43782347, 0.56217653});
}

TEST(OnnxRuntimeValues, ZerosAndQuantiles) {
  expect(op::TreeEnsembleClassifier,
         stump({0, 1, 1, 2}, {0.25, 0.5, 0.75, 1}, 3).with({"post_transform", "SOFTMAX_ZERO"}),
         {1, 2, 1},
         {0.43782350, 0.56217650, 0, 0, 0.43782350, 0.56217650, 0.43782350, 0.56217650, 0});
  const Tensor y = op::LinearRegressor(features(), {floats("coefficients", {0.1, 0.05}),
                                                    floats("intercepts", {0.5}),
                                                    {"post_transform", "PROBIT"}});
  const Floats expected{0, 0.56075609, -0.25335351};
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(y.to_vector<double>()[i], expected[i], 1e-5);
}

}  // namespace

}  // namespace tenon
