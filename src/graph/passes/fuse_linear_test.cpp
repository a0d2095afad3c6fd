// Products with what follows them, and products of one value with several weights: what is fused,
// what is not, and that the result stays the same.
#include <gtest/gtest.h>

#include "graph/capture.h"
#include "graph/interpreter.h"
#include "graph/pass.h"
#include "ops/fused/catalog.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"

namespace tenon {

namespace {

using graph::capture;
using graph::Function;
using graph::Graph;
using graph::InputSpec;

size_t count(const Graph& g, const OpDef& op) {
  size_t found = 0;
  for (const graph::Node& node : g.nodes()) found += node.op == &op;
  return found;
}

const graph::Node* only(const Graph& g, const OpDef& op) {
  const graph::Node* found = nullptr;
  for (const graph::Node& node : g.nodes())
    if (node.op == &op) found = &node;
  return count(g, op) == 1 ? found : nullptr;
}

// The graph of `function` before and after a pass, and their results for random inputs. Symbols
// stand for 3.
struct Passed {
  Graph after;
  int changes = 0;

  Passed(const Function& function, const std::vector<InputSpec>& inputs, const char* pass,
         double slack = 1e-5) {
    const Graph before = capture(function, inputs);
    after = capture(function, inputs);
    changes = graph::run_passes(after, {.only = {pass}, .verify = true})[0].changes;
    const NoGrad no_grad;
    TensorList given;
    for (const InputSpec& input : inputs) {
      Shape shape;
      for (const Dim& dim : input.dims) shape.push_back(dim.is_const() ? dim.value() : 3);
      given.push_back(randn(shape).to(input.dtype));
    }
    const TensorList want = graph::Interpreter(before).run(given);
    const TensorList got = graph::Interpreter(after).run(given);
    for (size_t i = 0; i < want.size(); ++i) {
      EXPECT_EQ(got[i].shape(), want[i].shape());
      const auto a = got[i].to_vector<double>(), b = want[i].to_vector<double>();
      for (size_t j = 0; j < b.size(); ++j)
        EXPECT_NEAR(a[j], b[j], slack * (1 + std::abs(b[j]))) << "output " << i << " at " << j;
    }
    EXPECT_EQ(after.outputs.size(), before.outputs.size());
    for (size_t i = 0; i < before.outputs.size(); ++i)
      EXPECT_EQ(after.value(after.outputs[i]).name, before.value(before.outputs[i]).name);
  }
};

Passed fuse(const Function& function, const std::vector<InputSpec>& inputs, double slack = 1e-5) {
  return {function, inputs, "fuse_linear", slack};
}

const Dim kBatch = Dim::symbol("batch");
const std::vector<InputSpec> kRows{{"x", DType::f32, {kBatch, 5}}};

std::string activation_of(const graph::Node& node) {
  return std::string(Call{*node.op, node.attrs}.s("activation"));
}

TEST(FuseLinear, BiasResidualAndActivation) {
  const Tensor w = randn({5, 4}), b = randn({4});
  const std::vector<InputSpec> inputs{{"x", DType::f32, {kBatch, 7, 5}},
                                      {"z", DType::f32, {kBatch, 7, 4}}};
  const Passed passed = fuse(
      [&](const TensorList& x) { return TensorList{op::Relu(x[1] + (b + op::MatMul(x[0], w)))}; },
      inputs);
  const graph::Node* node = only(passed.after, op::FusedLinear);
  ASSERT_NE(node, nullptr) << passed.after.str();
  EXPECT_EQ(passed.after.nodes().size(), 1U) << passed.after.str();
  EXPECT_EQ(node->inputs.size(), 4U);
  EXPECT_EQ(activation_of(*node), "Relu");
}

TEST(FuseLinear, ActivationsWithParameters) {
  const Tensor w = randn({5, 4});
  const std::vector<std::pair<std::string, std::function<Tensor(const Tensor&)>>> cases{
      {"LeakyRelu",
       [](const Tensor& y) {
         return op::LeakyRelu(y, {{"alpha", 0.2}});
       }},
      {"Elu",
       [](const Tensor& y) {
         return op::Elu(y, {{"alpha", 0.5}});
       }},
      {"HardSigmoid",
       [](const Tensor& y) {
         return op::HardSigmoid(y, {{"alpha", 0.3}});
       }},
      {"Selu", [](const Tensor& y) { return op::Selu(y); }},
      {"Tanh", [](const Tensor& y) { return op::Tanh(y); }},
      {"Clip",
       [](const Tensor& y) {
         return op::Clip.all({y, Tensor::scalar(-0.5), Tensor::scalar(0.25)})[0];
       }},
      {"Clip",
       [](const Tensor& y) {
         return op::Clip.all({y, Tensor(), Tensor::scalar(0.25)})[0];
       }},
  };
  for (const auto& [name, activation] : cases) {
    SCOPED_TRACE(name);
    const Passed passed = fuse(
        [&](const TensorList& x) { return TensorList{activation(op::MatMul(x[0], w))}; }, kRows);
    const graph::Node* node = only(passed.after, op::FusedLinear);
    ASSERT_NE(node, nullptr) << passed.after.str();
    EXPECT_EQ(activation_of(*node), name);
    EXPECT_EQ(passed.after.nodes().size(), 1U) << passed.after.str();
  }
}

TEST(FuseLinear, ActivationsOfTransformers) {
  const Tensor w = randn({5, 4}), b = randn({4});
  const std::vector<std::pair<std::string, std::function<Tensor(const Tensor&)>>> cases{
      {"Gelu", [](const Tensor& y) { return op::Gelu(y); }},
      {"GeluTanh",
       [](const Tensor& y) {
         return op::Gelu(y, {{"approximate", "tanh"}});
       }},
      {"Swish", [](const Tensor& y) { return op::Swish(y); }},
      {"Swish", [](const Tensor& y) { return op::QuickGelu(y, Attrs()); }},
      {"HardSwish", [](const Tensor& y) { return op::HardSwish(y); }},
      {"Mish", [](const Tensor& y) { return op::Mish(y); }},
  };
  for (const auto& [name, activation] : cases) {
    SCOPED_TRACE(name);
    const Passed passed =
        fuse([&](const TensorList& x) { return TensorList{activation(op::MatMul(x[0], w) + b)}; },
             kRows);
    const graph::Node* node = only(passed.after, op::FusedLinear);
    ASSERT_NE(node, nullptr) << passed.after.str();
    EXPECT_EQ(activation_of(*node), name);
  }
}

TEST(FuseLinear, ScalesAndMergesConstants) {
  const Tensor w = randn({5, 4}), b = randn({1, 4}), c = randn({4});
  const Passed passed = fuse(
      [&](const TensorList& x) {
        return TensorList{((op::MatMul(x[0], w) * 2.0 + b) / 4.0 - c) + Tensor::scalar(0.5)};
      },
      kRows);
  const graph::Node* node = only(passed.after, op::FusedLinear);
  ASSERT_NE(node, nullptr) << passed.after.str();
  EXPECT_EQ(passed.after.nodes().size(), 1U) << passed.after.str();
  EXPECT_EQ(Call({*node->op, node->attrs}).f("alpha"), 0.5);
}

TEST(FuseLinear, Gemm) {
  const Tensor w = randn({4, 5}), b = randn({4}), column = randn({3, 1});
  const Attrs attrs{{"transB", 1}, {"alpha", 0.5}, {"beta", 2.0}};
  EXPECT_NE(only(fuse(
                     [&](const TensorList& x) {
                       return TensorList{op::Relu(op::Gemm(x[0], w, b, attrs))};
                     },
                     kRows)
                     .after,
                 op::FusedLinear),
            nullptr);
  // C of the result's shape is a residual.
  EXPECT_NE(only(fuse(
                     [&](const TensorList& x) {
                       return TensorList{op::Relu(op::Gemm(x[0], w, x[1], {{"transB", 1}}))};
                     },
                     {{"x", DType::f32, {kBatch, 5}}, {"z", DType::f32, {kBatch, 4}}})
                     .after,
                 op::FusedLinear),
            nullptr);
  const std::vector<InputSpec> fixed{{"x", DType::f32, {3, 5}}};
  EXPECT_EQ(fuse(
                [&](const TensorList& x) {
                  return TensorList{op::Relu(op::Gemm(x[0], w, column, {{"transB", 1}}))};
                },
                fixed)
                .changes,
            0);
  const std::vector<InputSpec> turned{{"x", DType::f32, {5, kBatch}}};
  EXPECT_EQ(fuse(
                [&](const TensorList& x) {
                  return TensorList{op::Relu(op::Gemm(x[0], w, b, {{"transA", 1}, {"transB", 1}}))};
                },
                turned)
                .changes,
            0);
}

TEST(FuseLinear, OperatorsOfMicrosoft) {
  const Tensor w = randn({5, 4}), b = randn({4});
  const std::vector<Function> functions{
      [&](const TensorList& x) {
        return TensorList{
            op::FusedGemm(x[0], w, b, {{"activation", "LeakyRelu"}, {"activation_alpha", 0.3}})};
      },
      [&](const TensorList& x) {
        return TensorList{op::FusedMatMul(x[0], w, {{"alpha", 0.5}})};
      },
      [&](const TensorList& x) { return TensorList{op::GemmFastGelu(x[0], w, b)}; },
      [&](const TensorList& x) { return TensorList{op::BiasGelu(op::MatMul(x[0], w), b)}; },
      [&](const TensorList& x) { return TensorList{op::FastGelu(op::MatMul(x[0], w), b)}; },
  };
  for (size_t i = 0; i < functions.size(); ++i) {
    SCOPED_TRACE(i);
    const Passed passed = fuse(functions[i], kRows);
    EXPECT_EQ(count(passed.after, op::FusedLinear), 1U) << passed.after.str();
    EXPECT_EQ(passed.after.nodes().size(), 1U) << passed.after.str();
  }
}

TEST(FuseLinear, StacksOfMatrices) {
  const Dim heads = Dim::symbol("heads");
  const std::vector<InputSpec> inputs{{"q", DType::f32, {heads, 7, 5}},
                                      {"k", DType::f32, {heads, 5, 6}},
                                      {"mask", DType::f32, {heads, 7, 6}}};
  const Passed passed = fuse(
      [](const TensorList& x) { return TensorList{op::MatMul(x[0], x[1]) * 0.25 + x[2]}; }, inputs);
  EXPECT_NE(only(passed.after, op::FusedLinear), nullptr) << passed.after.str();
}

TEST(FuseLinear, ResultsThatOthersReadStay) {
  const Tensor w = randn({5, 4}), b = randn({4});
  const Passed passed = fuse(
      [&](const TensorList& x) {
        const Tensor y = op::MatMul(x[0], w);
        return TensorList{op::Relu(y), y + b};
      },
      kRows);
  EXPECT_EQ(passed.changes, 0);
  const Passed partly = fuse(
      [&](const TensorList& x) {
        const Tensor y = op::MatMul(x[0], w) + b;
        return TensorList{y, op::Relu(y)};
      },
      kRows);
  EXPECT_EQ(partly.changes, 1);
  EXPECT_EQ(count(partly.after, op::Relu), 1U);
}

TEST(FuseLinear, OtherShapesStay) {
  const Tensor w = randn({5, 4}), column = randn({3, 1}), wide = randn({2, 1, 4}), row = randn({4});
  const std::vector<InputSpec> fixed{{"x", DType::f32, {3, 5}}};
  const auto changes = [&](const Function& function, const std::vector<InputSpec>& inputs) {
    return fuse(function, inputs).changes;
  };
  // A column, what raises the rank, a scale by a row, a residual that is broadcast, and bounds that
  // are no constants.
  EXPECT_EQ(
      changes([&](const TensorList& x) { return TensorList{op::MatMul(x[0], w) + column}; }, fixed),
      0);
  EXPECT_EQ(
      changes([&](const TensorList& x) { return TensorList{op::MatMul(x[0], w) + wide}; }, fixed),
      0);
  EXPECT_EQ(
      changes([&](const TensorList& x) { return TensorList{op::MatMul(x[0], w) * row}; }, fixed),
      0);
  EXPECT_EQ(changes([&](const TensorList& x) { return TensorList{op::MatMul(x[0], w) + x[1]}; },
                    {{"x", DType::f32, {kBatch, 5}}, {"z", DType::f32, {1, 4}}}),
            0);
  EXPECT_EQ(changes(
                [&](const TensorList& x) {
                  return TensorList{op::Clip.all({op::MatMul(x[0], w), x[1]})[0]};
                },
                {{"x", DType::f32, {kBatch, 5}}, {"low", DType::f32, {}}}),
            0);
  const Tensor w64 = w.to(DType::f64);
  EXPECT_EQ(
      changes([&](const TensorList& x) { return TensorList{op::Relu(op::MatMul(x[0], w64))}; },
              {{"x", DType::f64, {kBatch, 5}}}),
      0);
}

TEST(FuseLinear, HalfPrecision) {
  const Tensor w = randn({5, 4}).to(DType::f16), b = randn({4}).to(DType::f16);
  const Passed passed =
      fuse([&](const TensorList& x) { return TensorList{op::Relu(op::MatMul(x[0], w) + b)}; },
           {{"x", DType::f16, {kBatch, 5}}}, 5e-3);
  EXPECT_EQ(count(passed.after, op::FusedLinear), 1U) << passed.after.str();
}

TEST(MergeProjections, ThreeOfOneValue) {
  const Tensor q = randn({5, 4}), k = randn({5, 4}), v = randn({5, 6}), other = randn({5, 4});
  const Passed passed(
      [&](const TensorList& x) {
        return TensorList{op::MatMul(x[0], q), op::Relu(op::MatMul(x[0], k)), op::MatMul(x[0], v),
                          op::MatMul(x[1], other)};
      },
      {{"x", DType::f32, {kBatch, 7, 5}}, {"y", DType::f32, {kBatch, 7, 5}}}, "merge_projections");
  EXPECT_EQ(count(passed.after, op::MatMul), 2U) << passed.after.str();
  EXPECT_EQ(count(passed.after, op::Split), 1U) << passed.after.str();
}

TEST(MergeProjections, WithBiases) {
  const Tensor q = randn({4, 5}), k = randn({3, 5}), a = randn({4}), b = randn({3});
  const Attrs turned{{"transB", 1}};
  const Passed passed(
      [&](const TensorList& x) {
        return TensorList{op::Gemm(x[0], q, a, turned), op::Gemm(x[0], k, b, turned),
                          op::Gemm.all({x[0], k}, turned)[0]};
      },
      kRows, "merge_projections");
  EXPECT_EQ(count(passed.after, op::Gemm), 2U) << passed.after.str();
  const Passed fused(
      [&](const TensorList& x) {
        const Attrs attrs{{"transW", 1}, {"activation", "Tanh"}};
        return TensorList{op::FusedLinear(x[0], q, a, attrs), op::FusedLinear(x[0], k, b, attrs)};
      },
      kRows, "merge_projections");
  EXPECT_EQ(count(fused.after, op::FusedLinear), 1U) << fused.after.str();
}

TEST(MergeProjections, LargeAndUnlikeOnesStay) {
  const auto changes = [](const Function& function, const std::vector<InputSpec>& inputs) {
    return Passed(function, inputs, "merge_projections").changes;
  };
  const Tensor wide = randn({5, 200}), a = randn({5, 4}), b = randn({5, 4});
  EXPECT_EQ(changes(
                [&](const TensorList& x) {
                  return TensorList{op::MatMul(x[0], wide), op::MatMul(x[0], a)};
                },
                kRows),
            0);
  // Few rows may be split however wide they are.
  EXPECT_NE(changes(
                [&](const TensorList& x) {
                  return TensorList{op::MatMul(x[0], wide), op::MatMul(x[0], a)};
                },
                {{"x", DType::f32, {1, 5}}}),
            0);
  EXPECT_EQ(changes(
                [&](const TensorList& x) {
                  return TensorList{op::MatMul(x[0], a), op::MatMul(x[1], b)};
                },
                {{"x", DType::f32, {kBatch, 5}}, {"y", DType::f32, {kBatch, 5}}}),
            0);
  EXPECT_EQ(changes(
                [&](const TensorList& x) {
                  return TensorList{op::MatMul(x[0], a), op::MatMul(x[0], x[1])};
                },
                {{"x", DType::f32, {kBatch, 5}}, {"w", DType::f32, {5, 4}}}),
            0);
}

}  // namespace

}  // namespace tenon
