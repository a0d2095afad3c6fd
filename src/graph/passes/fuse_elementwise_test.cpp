// Which nodes fuse_elementwise takes together, and that the result computes the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "graph/capture.h"
#include "graph/interpreter.h"
#include "graph/pass.h"
#include "ops/fused/catalog.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/random.h"

namespace tenon {
namespace {

using graph::capture;
using graph::Graph;

size_t count(const Graph& g, const OpDef& op) {
  return static_cast<size_t>(
      std::ranges::count_if(g.nodes(), [&](const graph::Node& node) { return node.op == &op; }));
}

std::vector<std::string> steps_of(const Graph& g) {
  for (const graph::Node& node : g.nodes()) {
    if (node.op != &op::FusedElementwise) continue;
    const auto steps = Call{*node.op, node.attrs}.strings("steps");
    return {steps.begin(), steps.end()};
  }
  return {};
}

// The graph after the pass, which computes on `inputs` what it did before.
Graph fused(const Graph& before, const TensorList& inputs) {
  Graph after = before;
  graph::run_passes(after, {.only = {"fuse_elementwise"}, .verify = true});
  const TensorList want = graph::Interpreter(before).run(inputs);
  const TensorList got = graph::Interpreter(after).run(inputs);
  EXPECT_EQ(got.size(), want.size());
  for (size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
    const graph::Value& value = after.value(after.outputs[i]);
    EXPECT_EQ(value.name, before.value(before.outputs[i]).name);
    EXPECT_EQ(name(got[i].dtype()), name(want[i].dtype()));
    EXPECT_EQ(got[i].shape(), want[i].shape());
    const auto a = got[i].to_vector<double>(), b = want[i].to_vector<double>();
    const double slack = is_half(got[i].dtype()) ? 0.02 : 1e-6;
    for (size_t k = 0; k < std::min(a.size(), b.size()); ++k)
      EXPECT_NEAR(a[k], b[k], slack * (1 + std::fabs(b[k]))) << "output " << i << " at " << k;
  }
  return after;
}

const Dim kBatch = Dim::symbol("batch");
const std::vector<graph::InputSpec> kOne{{"x", DType::f32, {kBatch, 6}}};
const std::vector<graph::InputSpec> kTwo{{"x", DType::f32, {kBatch, 6}},
                                         {"y", DType::f32, {kBatch, 6}}};

TensorList rows(size_t tensors, const Shape& shape = {3, 6}) {
  manual_seed(5);
  TensorList list;
  for (size_t i = 0; i < tensors; ++i) list.push_back(randn(shape));
  return list;
}

TEST(FuseElementwise, TakesAChainWithItsNumbers) {
  const Tensor bias = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {6});
  const Graph g = fused(
      capture(
          [&](const TensorList& x) { return TensorList{op::Sigmoid(x[0] * 0.5 + bias) * x[0]}; },
          kOne, {"y"}),
      rows(1));
  EXPECT_EQ(g.nodes().size(), 1U) << g.str();
  EXPECT_EQ(steps_of(g),
            (std::vector<std::string>{"Mul x0 f32(0.5)", "Add t0 x1", "Sigmoid t1", "Mul t2 x0"}));
  EXPECT_EQ(g.value(g.outputs[0]).type.str(), "f32[batch, 6]");
}

TEST(FuseElementwise, LeavesASingleOperatorAlone) {
  const Graph g =
      fused(capture([](const TensorList& x) { return TensorList{op::Relu(x[0])}; }, kOne), rows(1));
  EXPECT_EQ(count(g, op::FusedElementwise), 0U) << g.str();
}

TEST(FuseElementwise, GivesOutWhatOthersRead) {
  const Graph g = fused(capture(
                            [](const TensorList& x) {
                              const Tensor sum = x[0] + x[1];
                              const Tensor y = op::Tanh(op::Relu(sum));
                              return TensorList{y, op::Softmax(sum), sum};
                            },
                            kTwo, {"y", "p", "sum"}),
                        rows(2));
  EXPECT_EQ(g.nodes().size(), 2U) << g.str();
  EXPECT_EQ(count(g, op::FusedElementwise), 1U) << g.str();
  for (const graph::Node& node : g.nodes())
    EXPECT_EQ(node.outputs.size(), node.op == &op::FusedElementwise ? 2U : 1U);
}

TEST(FuseElementwise, DoesNotMakeACycle) {
  // The sum of x and its Softmax cannot be computed before the Softmax.
  const Graph g = fused(capture(
                            [](const TensorList& x) {
                              const Tensor y = op::Relu(op::Neg(x[0]));
                              const Tensor p = op::Softmax(y);
                              return TensorList{op::Exp(y + p)};
                            },
                            kOne),
                        rows(1));
  EXPECT_EQ(count(g, op::FusedElementwise), 2U) << g.str();
  EXPECT_EQ(g.nodes().size(), 3U) << g.str();
}

TEST(FuseElementwise, DoesNotMakeACycleOfTwoGroups) {
  // a1 and a2 meet in a3, b1 and b2 in b3; a1 leads to b1 and b2 to a2, through other operators.
  const Graph g = fused(capture(
                            [](const TensorList& x) {
                              const Tensor a1 = op::Neg(x[0]), b2 = op::Abs(x[1]);
                              const Tensor b1 = op::Exp(op::Softmax(a1));
                              const Tensor a2 = op::Tanh(op::Softmax(b2));
                              return TensorList{a1 + a2, b1 + b2};
                            },
                            kTwo),
                        rows(2));
  EXPECT_EQ(count(g, op::Softmax), 2U) << g.str();
  EXPECT_GE(count(g, op::FusedElementwise), 2U) << g.str();
}

TEST(FuseElementwise, StopsWhereTheShapeGrows) {
  const std::vector<graph::InputSpec> inputs{{"x", DType::f32, {kBatch, 6}},
                                             {"v", DType::f32, {6}}};
  TensorList given = rows(1);
  given.push_back(randn({6}));
  const Graph g = fused(capture(
                            [](const TensorList& x) {
                              const Tensor row = op::Exp(op::Neg(x[1]));
                              return TensorList{op::Tanh(x[0] * row)};
                            },
                            inputs),
                        given);
  EXPECT_EQ(count(g, op::FusedElementwise), 2U) << g.str();
  EXPECT_EQ(steps_of(g), (std::vector<std::string>{"Neg x0", "Exp t0"}));
}

TEST(FuseElementwise, NeedsShapesThatAreProvablyEqual) {
  const std::vector<graph::InputSpec> inputs{{"x", DType::f32, {Dim::symbol("a"), 6}},
                                             {"y", DType::f32, {Dim::symbol("b"), 6}}};
  // The sum may be larger than Neg(x): b or a may be 1.
  const Graph g =
      fused(capture([](const TensorList& x) { return TensorList{op::Tanh(op::Neg(x[0]) + x[1])}; },
                    inputs),
            {randn({1, 6}), randn({4, 6})});
  EXPECT_EQ(count(g, op::Neg), 1U) << g.str();
  EXPECT_EQ(steps_of(g), (std::vector<std::string>{"Add x0 x1", "Tanh t0"}));
}

TEST(FuseElementwise, KeepsARankThatAConstantGives) {
  const std::vector<graph::InputSpec> inputs{{"x", DType::f32, {6}}};
  const Tensor one = Tensor::ones({1, 1});
  const Graph g =
      fused(capture([&](const TensorList& x) { return TensorList{op::Exp(x[0] + one)}; }, inputs),
            {randn({6})});
  EXPECT_EQ(steps_of(g), (std::vector<std::string>{"Add x0 x1", "Exp t0"}));
}

TEST(FuseElementwise, MixesTypes) {
  const Tensor nothing = Tensor::scalar(0);
  const std::vector<graph::InputSpec> inputs{{"x", DType::f16, {kBatch, 6}},
                                             {"ids", DType::i64, {kBatch, 6}}};
  const Graph g =
      fused(capture(
                [&](const TensorList& x) {
                  const Tensor mask = op::Greater(x[1], Tensor::scalar(2, DType::i64));
                  const Tensor y = op::Where(mask, x[0].to(DType::f32), nothing);
                  return TensorList{op::Pow(y, Tensor::scalar(2, DType::i64)).to(DType::f16)};
                },
                inputs),
            {rows(1)[0].to(DType::f16), Tensor::arange(18).reshape({3, 6})});
  EXPECT_EQ(steps_of(g),
            (std::vector<std::string>{"Greater x0 i64(2)", "Cast x1 to=1", "Where t0 t1 f32(0)",
                                      "Pow t2 f32(2)", "Cast t3 to=10"}))
      << g.str();
}

TEST(FuseElementwise, WritesOutGelusOfOthers) {
  const Tensor bias = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {6});
  const Graph g = fused(
      capture([&](const TensorList& x) { return TensorList{op::FastGelu(x[0], bias)}; }, kOne),
      rows(1));
  EXPECT_EQ(steps_of(g), (std::vector<std::string>{"Add x0 x1", "Gelu t0 approximate=tanh"}));
}

TEST(FuseElementwise, LeavesTypesThatHaveNoLoops) {
  const std::vector<graph::InputSpec> inputs{{"x", DType::f64, {4}}};
  const Graph g =
      fused(capture([](const TensorList& x) { return TensorList{op::Exp(op::Neg(x[0]))}; }, inputs),
            {randn({4}).to(DType::f64)});
  EXPECT_EQ(count(g, op::FusedElementwise), 0U) << g.str();
}

TEST(FuseElementwise, LeavesSizesVisible) {
  const Graph g = fused(capture(
                            [](const TensorList& x) {
                              const Tensor shape = op::Shape(x[0]);
                              const Tensor one = Tensor::ints({1, 1});
                              return TensorList{op::Expand(Tensor::ones({1}), (shape + one) * one)};
                            },
                            kOne),
                        rows(1));
  EXPECT_EQ(count(g, op::FusedElementwise), 0U) << g.str();
}

TEST(FuseElementwise, SplitsWhatIsTooLong) {
  const Graph g = fused(capture(
                            [](const TensorList& x) {
                              Tensor y = x[0];
                              for (int i = 0; i < 150; ++i) y = i % 2 ? op::Neg(y) : y + x[1];
                              return TensorList{y};
                            },
                            kTwo),
                        rows(2));
  EXPECT_EQ(count(g, op::FusedElementwise), 3U) << g.str();
}

TEST(FuseElementwise, GivesOutAtMostFourValues) {
  const Graph g = fused(capture(
                            [](const TensorList& x) {
                              TensorList read;
                              Tensor y = x[0];
                              for (int i = 0; i < 9; ++i) {
                                y = y * x[1];
                                read.push_back(op::Softmax(y));
                              }
                              return read;
                            },
                            kTwo),
                        rows(2));
  for (const graph::Node& node : g.nodes()) EXPECT_LE(node.outputs.size(), 4U);
  EXPECT_EQ(count(g, op::FusedElementwise), 2U) << g.str();
  EXPECT_EQ(count(g, op::Mul), 1U) << g.str();  // the ninth
}

}  // namespace
}  // namespace tenon
