// Graphs in 16 bits: which operators stay in f32, where Cast stands, and how close results are.
#include "graph/precision/halves.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "formats/onnx/export.h"
#include "formats/onnx/import.h"
#include "graph/capture.h"
#include "graph/interpreter.h"
#include "graph/pass.h"
#include "graph/precision/half_role.h"
#include "ops/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"

namespace tenon {
namespace {

using graph::Graph;
using graph::InHalves;
using graph::Interpreter;
using graph::Node;
using graph::to_halves;

// Two convolutions, a residual sum, pooling, a linear layer, softmax.
Graph small_network() {
  manual_seed(5);
  const Tensor w1 = randn({8, 3, 3, 3}) * 0.3, b1 = randn({8}) * 0.1;
  const Tensor w2 = randn({8, 8, 3, 3}) * 0.15, b2 = randn({8}) * 0.1;
  const Tensor w3 = randn({5, 8}) * 0.4, b3 = randn({5}) * 0.1;
  return graph::capture(
      [&](const TensorList& x) {
        const Attrs pads{{"pads", {1, 1, 1, 1}}};
        const Tensor one = op::Relu(op::Conv(x[0], w1, b1, pads));
        const Tensor two = op::Conv(one, w2, b2, pads);
        const Tensor pooled = op::GlobalAveragePool(op::Relu(op::Add(one, two)));
        const Tensor scores = op::Gemm(op::Flatten(pooled), w3, b3, {{"transB", 1}});
        return TensorList{scores, op::Softmax(scores)};
      },
      {{"image", DType::f32, {Dim::symbol("batch"), 3, 8, 8}}}, {"scores", "shares"});
}

int count_of(const Graph& g, const OpDef& op) {
  return static_cast<int>(std::ranges::count(g.nodes(), &op, &Node::op));
}
DType type_of(const Graph& g, std::string_view name) {
  const graph::ValueId id = g.find_value(name);
  return id == graph::kNoValue ? DType::undefined : g.value(id).type.dtype;
}
const Node& only(const Graph& g, const OpDef& op) {
  EXPECT_EQ(count_of(g, op), 1) << op.name;
  return *std::ranges::find(g.nodes(), &op, &Node::op);
}
DType input_type(const Graph& g, const Node& node, size_t i) {
  return g.value(node.inputs[i]).type.dtype;
}
DType output_type(const Graph& g, const Node& node) { return g.value(node.outputs[0]).type.dtype; }

// The largest difference as a share of the largest element expected, over all outputs.
double error_of(const Graph& wanted, const Graph& given, const TensorList& inputs) {
  const NoGrad no_grad;
  const TensorList a = Interpreter(wanted).run(inputs), b = Interpreter(given).run(inputs);
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].dtype(), b[i].dtype());
    EXPECT_EQ(a[i].shape(), b[i].shape());
    const auto x = a[i].to_vector<double>(), y = b[i].to_vector<double>();
    double largest = 0, difference = 0;
    for (size_t k = 0; k < x.size(); ++k) {
      largest = std::max(largest, std::abs(x[k]));
      difference = std::max(difference, std::abs(x[k] - y[k]));
    }
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

// No Cast reads what a Cast made, nothing is cast to one type twice, and none changes nothing.
void expect_few_casts(const Graph& g) {
  std::vector<std::pair<graph::ValueId, DType>> seen;
  for (const Node& node : g.nodes()) {
    if (node.op != &op::Cast) continue;
    const graph::Value& from = g.value(node.inputs[0]);
    const DType to = output_type(g, node);
    EXPECT_NE(from.type.dtype, to) << from.name;
    EXPECT_FALSE(from.is_constant()) << from.name << " could be stored as " << name(to);
    if (from.producer >= 0) {
      EXPECT_NE(g.node(from.producer).op, &op::Cast) << from.name;
    }
    const std::pair key{node.inputs[0], to};
    EXPECT_EQ(std::ranges::count(seen, key), 0) << from.name;
    seen.push_back(key);
  }
}

TEST(Halves, ConvolutionsAndWhatFollowsThem) {
  const Graph before = small_network();
  const InHalves made = to_halves(before);
  made.graph.verify();
  expect_few_casts(made.graph);
  EXPECT_EQ(made.layers.size(), 3U);
  for (const OpDef* op : {&op::Conv, &op::Gemm, &op::Relu, &op::Add, &op::GlobalAveragePool})
    for (const Node& node : made.graph.nodes())
      if (node.op == op) {
        EXPECT_EQ(output_type(made.graph, node), DType::bf16) << op->name;
      }
  // The image goes in, and the scores come out once for both of their readers.
  EXPECT_EQ(count_of(made.graph, op::Cast), 2);
  for (const char* port : {"image", "scores", "shares"})
    EXPECT_EQ(type_of(made.graph, port), DType::f32) << port;
  EXPECT_EQ(input_type(made.graph, only(made.graph, op::Softmax), 0), DType::f32);
  manual_seed(1);
  const double error = error_of(before, made.graph, {randn({2, 3, 8, 8})});
  EXPECT_LT(error, 0.01);
  EXPECT_GT(error, 1e-5) << "nothing was rounded";
}

TEST(Halves, WeightsTakeHalfTheBytes) {
  const Graph before = small_network();
  const InHalves made = to_halves(before);
  const auto bytes = [](const Graph& g) {
    size_t sum = 0;
    for (const graph::Value& value : g.values())
      if (value.is_constant()) sum += value.type.constant.bytes();
    return sum;
  };
  EXPECT_EQ(bytes(made.graph) * 2, bytes(before));
}

TEST(Halves, F16TooAndNothingElse) {
  const Graph before = small_network();
  const InHalves made = to_halves(before, {.type = DType::f16});
  made.graph.verify();
  EXPECT_EQ(output_type(made.graph, only(made.graph, op::Gemm)), DType::f16);
  manual_seed(1);
  EXPECT_LT(error_of(before, made.graph, {randn({2, 3, 8, 8})}), 2e-3);
  EXPECT_THROW(to_halves(before, {.type = DType::f32}), Error);
}

// What a wide range or many terms would spoil.
TEST(Halves, IslandsStayInF32) {
  manual_seed(2);
  const Tensor w = randn({6, 6}) * 0.4;
  const Graph before = graph::capture(
      [&](const TensorList& x) {
        const Tensor y = op::MatMul(x[0], w);
        const Attrs last{{"keepdims", 1}};
        const Tensor axes = Tensor::ints({-1});
        const Tensor squares = op::ReduceSumSquare(y, axes, last);
        return TensorList{op::Exp(y), op::Log(op::Abs(y)), op::Pow(y, Tensor::scalar(2)),
                          op::ReduceMean(y, axes, last), op::Div(y, op::Sqrt(squares))};
      },
      {{"x", DType::f32, {4, 6}}}, {"exp", "log", "pow", "mean", "unit"});
  const InHalves made = to_halves(before);
  made.graph.verify();
  expect_few_casts(made.graph);
  for (const OpDef* op :
       {&op::Exp, &op::Log, &op::Pow, &op::ReduceMean, &op::ReduceSumSquare, &op::Sqrt, &op::Div})
    EXPECT_EQ(input_type(made.graph, only(made.graph, *op), 0), DType::f32) << op->name;
  EXPECT_EQ(output_type(made.graph, only(made.graph, op::MatMul)), DType::bf16);
  EXPECT_EQ(output_type(made.graph, only(made.graph, op::Abs)), DType::bf16);
}

TEST(Halves, NormalisationsKeepTheirStatistics) {
  manual_seed(3);
  const Tensor w = randn({6, 6}) * 0.4, scale = randn({6}), bias = randn({6});
  const auto network = [&](int64_t stash) {
    return graph::capture(
        [&](const TensorList& x) {
          return TensorList{
              op::LayerNormalization(op::MatMul(x[0], w), scale, bias, {{"stash_type", stash}})};
        },
        {{"x", DType::f32, {4, 6}}}, {"y"});
  };
  const Graph before = network(1);
  const InHalves made = to_halves(before);
  EXPECT_EQ(output_type(made.graph, only(made.graph, op::LayerNormalization)), DType::bf16);
  EXPECT_LT(error_of(before, made.graph, {randn({4, 6})}), 0.01);
  const InHalves coarse = to_halves(network(static_cast<int64_t>(DType::bf16)));
  EXPECT_EQ(output_type(coarse.graph, only(coarse.graph, op::LayerNormalization)), DType::f32);
}

// Running mean and variance are of another type than what is normalised.
TEST(Halves, BatchStatisticsStayInF32) {
  manual_seed(3);
  const Tensor w = randn({4, 2, 1, 1}), one = Tensor::ones({4});
  const Graph before = graph::capture(
      [&](const TensorList& x) {
        const Tensor y = op::Conv(x[0], w);
        const Tensor inputs[] = {y, one, one * 0.5, one * 0.25, one * 2};
        return op::BatchNormalization.all(inputs);
      },
      {{"x", DType::f32, {1, 2, 3, 3}}}, {"y"});
  const InHalves made = to_halves(before);
  made.graph.verify();
  const Node& norm = only(made.graph, op::BatchNormalization);
  EXPECT_EQ(input_type(made.graph, norm, 0), DType::bf16);
  for (size_t i = 1; i < 5; ++i) EXPECT_EQ(input_type(made.graph, norm, i), DType::f32) << i;
}

TEST(Halves, TheStateOfCellsIsNotRounded) {
  manual_seed(4);
  const Tensor w = randn({1, 12, 2}), r = randn({1, 12, 3});
  const auto network = [&](bool shows_cells) {
    return graph::capture(
        [&](const TensorList& x) {
          const Tensor inputs[] = {x[0], w, r};
          TensorList all = op::LSTM.all(inputs, {{"hidden_size", 3}}, shows_cells ? 3 : 2);
          return shows_cells ? TensorList{all[0], all[2]} : TensorList{all[0]};
        },
        {{"x", DType::f32, {5, 1, 2}}});
  };
  const InHalves inside = to_halves(network(false)), shown = to_halves(network(true));
  EXPECT_EQ(output_type(inside.graph, only(inside.graph, op::LSTM)), DType::bf16);
  EXPECT_EQ(inside.layers.size(), 1U);
  EXPECT_EQ(output_type(shown.graph, only(shown.graph, op::LSTM)), DType::f32);
  EXPECT_TRUE(shown.layers.empty());
  EXPECT_EQ(count_of(shown.graph, op::Cast), 0);
}

TEST(Halves, WhatIsNamedStaysInF32) {
  const Graph before = small_network();
  std::string second;
  for (const Node& node : before.nodes())
    if (node.op == &op::Conv) second = before.value(node.outputs[0]).name;
  const InHalves named = to_halves(before, {.without_layers = {second}});
  named.graph.verify();
  expect_few_casts(named.graph);
  EXPECT_EQ(named.layers.size(), 2U);
  EXPECT_EQ(type_of(named.graph, second), DType::f32);

  const InHalves typed = to_halves(before, {.without_operators = {"Conv"}});
  for (const Node& node : typed.graph.nodes())
    if (node.op == &op::Conv) {
      EXPECT_EQ(output_type(typed.graph, node), DType::f32);
    }
  EXPECT_EQ(output_type(typed.graph, only(typed.graph, op::Gemm)), DType::bf16);

  EXPECT_EQ(to_halves(before, {.operators = {"Gemm"}}).layers.size(), 1U);
  EXPECT_EQ(to_halves(before, {.layers = {second}}).layers, std::vector<std::string>{second});
  try {
    to_halves(before, {.without_operators = {"Convv"}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(error.message().find("no operator is named Convv"), std::string::npos);
  }
}

// The lowest number of f32 rounds to an infinity in bf16, and infinities make NaN of masks.
TEST(Halves, ConstantsStayFinite) {
  const Tensor low = Tensor::full({3}, -3.4028234e38), w = Tensor::ones({3, 3});
  const Graph before = graph::capture(
      [&](const TensorList& x) { return TensorList{op::Add(op::MatMul(x[0], w), low)}; },
      {{"x", DType::f32, {1, 3}}}, {"y"});
  for (const DType type : {DType::bf16, DType::f16}) {
    const InHalves made = to_halves(before, {.type = type});
    int halves = 0;
    for (const graph::Value& value : made.graph.values()) {
      if (!value.is_constant() || value.type.dtype != type) continue;
      ++halves;
      for (const double x : value.type.constant.to_vector<double>())
        EXPECT_TRUE(std::isfinite(x)) << value.name;
    }
    EXPECT_EQ(halves, 2) << name(type);
  }
}

// Other types than f32, and graphs without products, are left as they are.
TEST(Halves, NothingToDo) {
  const Graph doubles =
      graph::capture([](const TensorList& x) { return TensorList{op::MatMul(x[0], x[0])}; },
                     {{"x", DType::f64, {2, 2}}}, {"y"});
  const Graph sums =
      graph::capture([](const TensorList& x) { return TensorList{op::Add(x[0], x[0])}; },
                     {{"x", DType::f32, {2, 2}}}, {"y"});
  for (const Graph* graph : {&doubles, &sums}) {
    const InHalves made = to_halves(*graph);
    EXPECT_TRUE(made.layers.empty());
    EXPECT_EQ(made.graph.str(), graph->str());
  }
}

// Every operator that may be asked for 16 bits takes bf16 and f16 where it would get them.
TEST(Halves, OperatorsTakeWhatTheyAreGiven) {
  int asked = 0;
  for (const OpDef* op : op::all()) {
    Node node;
    node.op = op;
    if (half_role(Graph(), node) == graph::HalfRole::island) continue;
    ++asked;
    for (size_t i = 0; i < op->inputs.size(); ++i) {
      if (!graph::is_half_port(node, i)) continue;
      const TypeSet types = op->find_type(op->inputs[i].type_var)->set;
      EXPECT_TRUE(types.has(DType::bf16) && types.has(DType::f16)) << op->name << " input " << i;
    }
  }
  EXPECT_GT(asked, 60);
}

TEST(Halves, GoesOutAndComesBack) {
  const Graph before = small_network();
  const InHalves made = to_halves(before);
  const std::string bytes = formats::export_onnx_bytes(made.graph, {.opset = 22});
  const Graph back = formats::import_onnx(std::as_bytes(std::span(bytes)), "back.onnx");
  manual_seed(1);
  EXPECT_EQ(error_of(made.graph, back, {randn({2, 3, 8, 8})}), 0);
}

// The passes find the same to fuse as in f32, and results stay as close.
TEST(Halves, PassesFuseThem) {
  const Graph before = small_network();
  Graph after = to_halves(before).graph;
  graph::run_passes(after, {.verify = true});
  EXPECT_EQ(count_of(after, op::Relu), 0);
  EXPECT_EQ(count_of(after, op::Conv), 0);
  manual_seed(1);
  EXPECT_LT(error_of(before, after, {randn({2, 3, 8, 8})}), 0.01);
}

}  // namespace
}  // namespace tenon
