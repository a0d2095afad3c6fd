// Graphs with QuantizeLinear and DequantizeLinear in them: what the passes make of them computes
// the same, up to one step of the result where operators round differently.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "graph/capture.h"
#include "graph/interpreter.h"
#include "graph/pass.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/quant/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"

namespace tenon {
namespace {

using graph::Graph;

Tensor scalar(double value, DType type = DType::f32) { return Tensor::scalar(value, type); }

Tensor dq(const Tensor& x, double scale, int zero, DType type = DType::u8) {
  return op::DequantizeLinear(x, scalar(scale), scalar(zero, type));
}
Tensor q(const Tensor& x, double scale, int zero, DType type = DType::u8) {
  return op::QuantizeLinear(x, scalar(scale), scalar(zero, type));
}
Tensor qdq(const Tensor& x, double scale, int zero) { return dq(q(x, scale, zero), scale, zero); }

Tensor bytes(const Shape& shape, DType type) {
  Generator generator(static_cast<uint64_t>(shape.numel()));
  Tensor x = Tensor::empty(shape, type);
  for (int64_t i = 0; i < x.numel(); ++i)
    static_cast<uint8_t*>(x.raw())[i] = static_cast<uint8_t>(generator.uniform() * 255.9);
  return x;
}
int count_of(const Graph& g, const OpDef& op) {
  return static_cast<int>(std::ranges::count(g.nodes(), &op, &graph::Node::op));
}

const std::vector<std::string> kFold{"move_qdq", "fold_qdq"};

// Captures `function`, runs the passes and compares. Returns the new graph.
Graph folded(const graph::Function& function, const TensorList& inputs, double tolerance,
             const std::vector<std::string>& only = kFold) {
  std::vector<graph::InputSpec> specs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Dims dims = to_dims(inputs[i].shape());
    if (!dims.empty()) dims[0] = Dim::symbol("batch");
    specs.push_back({fmt::format("x{}", i), inputs[i].dtype(), dims});
  }
  Graph g = graph::capture(function, specs, {"y"});
  const NoGrad no_grad;
  const Tensor wanted = graph::Interpreter(g).run(inputs)[0];
  graph::run_passes(g, {.only = only, .verify = true});
  EXPECT_EQ(g.value(g.outputs[0]).name, "y");
  const Tensor made = graph::Interpreter(g).run(inputs)[0];
  EXPECT_EQ(made.dtype(), wanted.dtype());
  EXPECT_EQ(made.shape(), wanted.shape());
  const auto a = made.to_vector<double>(), b = wanted.to_vector<double>();
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  EXPECT_LE(worst, tolerance) << g.str();
  return g;
}

// A DequantizeLinear of constants that a graph being captured keeps as a node.
class Symbolic {
 public:
  // `like` is a symbolic tensor of the capture.
  explicit Symbolic(const Tensor& like) : like_(like) {}
  Tensor dequantized(const Tensor& data, const Tensor& scale, const Tensor& zero,
                     const Attrs& attrs = {}) const {
    const Tensor* inputs[] = {&data, &scale, &zero};
    return static_cast<Symbol&>(*like_.symbol()).record(op::DequantizeLinear, inputs, attrs, 1)[0];
  }
  // i8 weights with a scale for each index of `axis`.
  Tensor weights(const Shape& shape, int64_t axis) const {
    const int64_t count = shape[static_cast<size_t>(axis)];
    Tensor scales = Tensor::empty({count});
    for (int64_t i = 0; i < count; ++i)
      scales.data<float>()[i] = 0.001F + 0.0005F * static_cast<float>(i);
    return dequantized(bytes(shape, DType::i8), scales, Tensor::zeros({count}, DType::i8),
                       {{"axis", axis}});
  }

 private:
  const Tensor& like_;
};

TEST(FoldQdq, MakesIntegerConvolutions) {
  const Graph g = folded(
      [](const TensorList& x) {
        const Symbolic make(x[0]);
        const Tensor bias = Tensor::from<float>({0.5F, -0.25F, 0, 1}, {4});
        const Tensor y = op::Conv(dq(x[0], 0.02, 120), make.weights({4, 3, 3, 3}, 0), bias,
                                  {{"pads", {1, 1, 1, 1}}});
        return TensorList{q(op::Relu(y), 0.03, 0)};
      },
      {bytes({2, 3, 6, 5}, DType::u8)}, 1);
  EXPECT_EQ(count_of(g, op::QLinearConv), 1) << g.str();
  EXPECT_EQ(g.nodes().size(), 1U) << g.str();  // the zero point of 0 bounds as Relu does
}

TEST(FoldQdq, BoundsWhatTheZeroPointDoesNot) {
  const Graph g = folded(
      [](const TensorList& x) {
        const Symbolic make(x[0]);
        const Tensor y = op::Conv(dq(x[0], 0.02, 120), make.weights({4, 3, 1, 1}, 0));
        return TensorList{q(op::Clip(y, scalar(0), scalar(1)), 0.02, 128)};
      },
      {bytes({2, 3, 6, 5}, DType::u8)}, 1);
  EXPECT_EQ(count_of(g, op::QLinearConv), 1) << g.str();
  EXPECT_EQ(count_of(g, op::Clip), 1) << g.str();
  EXPECT_EQ(g.nodes().size(), 2U) << g.str();
}

TEST(FoldQdq, LeavesAConvolutionThatOthersRead) {
  const Graph g = folded(
      [](const TensorList& x) {
        const Symbolic make(x[0]);
        const Tensor y = op::Conv(dq(x[0], 0.02, 120), make.weights({4, 3, 1, 1}, 0));
        return TensorList{op::Add(y, dq(q(y, 0.02, 128), 0.02, 128))};
      },
      {bytes({2, 3, 4, 5}, DType::u8)}, 1e-4);
  EXPECT_EQ(count_of(g, op::QLinearConv), 0) << g.str();
}

TEST(FoldQdq, LeavesWeightsScaledAlongAnotherAxis) {
  const Graph g = folded(
      [](const TensorList& x) {
        const Symbolic make(x[0]);
        return TensorList{
            q(op::Conv(dq(x[0], 0.02, 120), make.weights({4, 3, 1, 1}, 1)), 0.02, 128)};
      },
      {bytes({2, 3, 4, 5}, DType::u8)}, 1);
  EXPECT_EQ(count_of(g, op::QLinearConv), 0) << g.str();
}

TEST(FoldQdq, MakesIntegerProducts) {
  const Graph g = folded(
      [](const TensorList& x) {
        const Symbolic make(x[0]);
        Tensor y = qdq(op::MatMul(dq(x[0], 0.02, 7), make.weights({6, 5}, 1)), 0.05, 100);
        y = op::Gemm(op::Reshape(y, Tensor::ints({-1, 5})), make.weights({4, 5}, 0),
                     Tensor::from<float>({1, 2, 3, 4}, {4}), {{"transB", 1}});
        return TensorList{q(y, 0.05, 30)};
      },
      {bytes({2, 3, 6}, DType::u8)}, 1);
  EXPECT_EQ(count_of(g, op::QLinearMatMul), 1) << g.str();
  EXPECT_EQ(count_of(g, op::QGemm), 1) << g.str();
  EXPECT_EQ(count_of(g, op::DequantizeLinear), 0) << g.str();
}

TEST(FoldQdq, AddsTheBiasOfFloats) {
  const Graph g = folded(
      [](const TensorList& x) {
        const Symbolic make(x[0]);
        const Tensor y = op::MatMul(dq(x[0], 0.02, 7), make.weights({6, 5}, 1));
        return TensorList{op::Add(y, Tensor::from<float>({1, 2, 3, 4, 5}, {5}))};
      },
      {bytes({2, 3, 6}, DType::u8)}, 1e-4);
  EXPECT_EQ(count_of(g, op::MatMulIntegerToFloat), 1) << g.str();
  EXPECT_EQ(g.nodes().size(), 1U) << g.str();
}

TEST(FoldQdq, TransposesWeightsBeforehand) {
  const Graph g = folded(
      [](const TensorList& x) {
        const Symbolic make(x[0]);
        return TensorList{op::MatMul(dq(x[0], 0.02, 7), op::Transpose(make.weights({5, 6}, 0)))};
      },
      {bytes({2, 3, 6}, DType::u8)}, 1e-4);
  EXPECT_EQ(count_of(g, op::MatMulIntegerToFloat), 1) << g.str();
  EXPECT_EQ(count_of(g, op::Transpose), 0) << g.str();
}

TEST(FoldQdq, AddsMultipliesPoolsAndJoins) {
  const Graph g = folded(
      [](const TensorList& x) {
        const Tensor a = dq(x[0], 0.02, 120), b = dq(x[1], 0.01, 3);
        const Tensor sum = qdq(op::Relu(op::Add(a, b)), 0.015, 0);
        const Tensor product = qdq(op::Mul(sum, b), 0.02, 5);
        const Tensor pooled =
            qdq(op::AveragePool(product, {{"kernel_shape", {2, 2}}, {"strides", {1, 1}}}), 0.02, 5);
        const Tensor joined = qdq(op::Concat.all({pooled, pooled}, {{"axis", 1}})[0], 0.03, 9);
        const Tensor bent = qdq(op::LeakyRelu(joined, {{"alpha", 0.2}}), 0.03, 9);
        return TensorList{q(op::GlobalAveragePool(qdq(op::Sigmoid(bent), 0.004, 0)), 0.004, 0)};
      },
      {bytes({2, 3, 6, 5}, DType::u8), bytes({2, 3, 6, 5}, DType::u8)}, 2);
  for (const OpDef* op :
       {&op::QLinearAdd, &op::QLinearMul, &op::QLinearAveragePool, &op::QLinearConcat,
        &op::QLinearLeakyRelu, &op::QLinearSigmoid, &op::QLinearGlobalAveragePool})
    EXPECT_EQ(count_of(g, *op), 1) << op->name << "\n" << g.str();
  EXPECT_EQ(g.nodes().size(), 7U) << g.str();
}

TEST(FoldQdq, MovesWithIntegers) {
  const Graph g = folded(
      [](const TensorList& x) {
        Tensor y = dq(x[0], 0.02, 120);
        y = op::MaxPool.all({y}, {{"kernel_shape", {2, 2}}})[0];
        y = op::Pad(y, Tensor::ints({0, 0, 1, 1, 0, 0, 1, 1}));
        y = op::Transpose(y, {{"perm", {0, 2, 3, 1}}});
        y = op::Concat.all({y, y}, {{"axis", 3}})[0];
        return TensorList{q(y, 0.02, 120)};
      },
      {bytes({2, 3, 6, 5}, DType::u8)}, 0);
  EXPECT_EQ(count_of(g, op::DequantizeLinear) + count_of(g, op::QuantizeLinear), 0) << g.str();
}

TEST(FoldQdq, QuantizesBeforeMoving) {
  const Graph g = folded(
      [](const TensorList& x) {
        const Tensor y = op::Sqrt(x[0]);
        return TensorList{
            q(op::Transpose(op::Reshape(y, Tensor::ints({0, 3, -1})), {{"perm", {0, 2, 1}}}), 0.1,
              0)};
      },
      {Tensor::full({2, 12}, 3)}, 0);
  ASSERT_EQ(g.nodes().size(), 4U) << g.str();
  EXPECT_EQ(g.nodes()[1].op, &op::QuantizeLinear) << g.str();
}

TEST(FoldQdq, KeepsARoundingBetweenFloats) {
  const Graph g =
      folded([](const TensorList& x) { return TensorList{op::Sqrt(qdq(op::Relu(x[0]), 0.1, 0))}; },
             {randn({2, 5})}, 0);
  EXPECT_EQ(count_of(g, op::QuantizeLinear), 1) << g.str();
  EXPECT_EQ(count_of(g, op::DequantizeLinear), 1) << g.str();
}

TEST(FoldQdq, ScalesWhatIsQuantisedAsItComes) {
  const Graph g = folded(
      [](const TensorList& x) {
        const TensorList a = op::DynamicQuantizeLinear.all({x[0]}, {}, 3);
        const Tensor b = bytes({6, 4}, DType::i8), zero = scalar(0, DType::i8);
        const Tensor sums = op::MatMulInteger(a[0], b, a[2], zero);
        const Tensor scale = op::Mul(a[1], Tensor::from<float>({0.1F, 0.2F, 0.3F, 0.4F}, {4}));
        const Tensor y = op::Mul(op::Cast(sums, {{"to", static_cast<int64_t>(DType::f32)}}), scale);
        return TensorList{op::Add(y, Tensor::from<float>({1, 2, 3, 4}, {4}))};
      },
      {randn({2, 3, 6})}, 1e-3);
  EXPECT_EQ(count_of(g, op::MatMulIntegerToFloat), 1) << g.str();
  EXPECT_EQ(g.nodes().size(), 2U) << g.str();
}

TEST(TabulateQuantized, SendsEveryByteThrough) {
  const Graph g = folded(
      [](const TensorList& x) {
        const Tensor y = dq(x[0], 0.05, 100);
        return TensorList{q(op::Mul(op::Sigmoid(y), op::Add(y, scalar(1))), 0.03, 20)};
      },
      {bytes({2, 3, 60}, DType::u8)}, 0, {"tabulate_quantized"});
  EXPECT_EQ(count_of(g, op::TableLookup), 1) << g.str();
  EXPECT_EQ(g.nodes().size(), 1U) << g.str();
}

TEST(TabulateQuantized, LeavesFunctionsOfTwoTensors) {
  const Graph g = folded(
      [](const TensorList& x) {
        return TensorList{q(op::Add(op::Tanh(dq(x[0], 0.05, 100)), dq(x[1], 0.02, 0)), 0.03, 20)};
      },
      {bytes({2, 60}, DType::u8), bytes({2, 60}, DType::u8)}, 0, {"tabulate_quantized"});
  EXPECT_EQ(count_of(g, op::TableLookup), 0) << g.str();
}

}  // namespace
}  // namespace tenon
