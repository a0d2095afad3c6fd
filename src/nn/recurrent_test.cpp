// Recurrent layers: PyTorch's formulas, names and shapes.
#include "nn/recurrent.h"

#include <gtest/gtest.h>

#include <cmath>

#include "graph/capture.h"
#include "ops/nn/catalog.h"

namespace tenon::nn {

namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

Tensor parameter_of(const Module& module, std::string_view name) {
  for (const auto& [known, tensor] : module.named_parameters())
    if (known == name) return tensor;
  return {};
}
std::vector<float> values_of(const Module& module, std::string_view name) {
  return parameter_of(module, name).to_vector<float>();
}

// One number in, one state: the formulas of PyTorch's documentation by hand.
TEST(Recurrent, ComputesPyTorchsLstm) {
  LSTM lstm(1, 1);
  const auto w = values_of(lstm, "weight_ih_l0"), u = values_of(lstm, "weight_hh_l0"),
             b = values_of(lstm, "bias_ih_l0"), v = values_of(lstm, "bias_hh_l0");
  double h = 0, c = 0;
  const std::vector<float> x{0.5F, -1.0F, 2.0F};
  const auto result = lstm.run(Tensor::from<float>(x, {3, 1, 1}));
  for (size_t t = 0; t < x.size(); ++t) {
    const auto gate = [&](size_t k) { return w[k] * x[t] + b[k] + u[k] * h + v[k]; };
    const double i = sigmoid(gate(0)), f = sigmoid(gate(1)), g = std::tanh(gate(2)),
                 o = sigmoid(gate(3));
    c = f * c + i * g;
    h = o * std::tanh(c);
    EXPECT_NEAR(result.output.to_vector<float>()[t], h, 1e-6);
  }
  EXPECT_NEAR(result.h.item<double>(), h, 1e-6);
  EXPECT_NEAR(result.c.item<double>(), c, 1e-6);
}

TEST(Recurrent, ComputesPyTorchsGru) {
  GRU gru(1, 1);
  const auto w = values_of(gru, "weight_ih_l0"), u = values_of(gru, "weight_hh_l0"),
             b = values_of(gru, "bias_ih_l0"), v = values_of(gru, "bias_hh_l0");
  double h = 0.3;
  const std::vector<float> x{0.5F, -1.0F, 2.0F};
  const auto result =
      gru.run(Tensor::from<float>(x, {3, 1, 1}), Tensor::from<float>({0.3F}, {1, 1, 1}));
  for (size_t t = 0; t < x.size(); ++t) {
    const auto in = [&](size_t k) { return w[k] * x[t] + b[k]; };
    const auto back = [&](size_t k) { return u[k] * h + v[k]; };
    const double r = sigmoid(in(0) + back(0)), z = sigmoid(in(1) + back(1)),
                 n = std::tanh(in(2) + r * back(2));
    h = (1 - z) * n + z * h;
    EXPECT_NEAR(result.output.to_vector<float>()[t], h, 1e-6);
  }
}

TEST(Recurrent, HasPyTorchsParametersAndShapes) {
  const RecurrentOptions options{.num_layers = 2, .batch_first = true, .bidirectional = true};
  LSTM lstm(3, 4, options);
  EXPECT_EQ(parameter_of(lstm, "weight_ih_l0").shape(), (Shape{16, 3}));
  EXPECT_EQ(parameter_of(lstm, "weight_ih_l1_reverse").shape(), (Shape{16, 8}));
  EXPECT_EQ(parameter_of(lstm, "bias_hh_l1").shape(), (Shape{16}));
  EXPECT_EQ(lstm.named_parameters().size(), 16U);
  const auto result = lstm.run(Tensor::ones({5, 7, 3}));
  EXPECT_EQ(result.output.shape(), (Shape{5, 7, 8}));
  EXPECT_EQ(result.h.shape(), (Shape{4, 5, 4}));
  EXPECT_EQ(result.c.shape(), (Shape{4, 5, 4}));
  RNN rnn(3, 4, {.bias = false}, "relu");
  EXPECT_EQ(rnn.run(Tensor::ones({5, 7, 3})).output.shape(), (Shape{5, 7, 4}));
  EXPECT_FALSE(rnn.run(Tensor::ones({5, 7, 3})).c);
}

TEST(Recurrent, TrainsAllParameters) {
  GRU gru(2, 3, {.num_layers = 2, .dropout = 0.5, .bidirectional = true});
  gru(Tensor::ones({4, 2, 2})).sum().backward();
  for (const auto& [name, tensor] : gru.named_parameters())
    EXPECT_TRUE(tensor.grad().defined()) << name;
}

TEST(Recurrent, IsOneNodeALayerInGraphs) {
  LSTM lstm(2, 3, {.num_layers = 2, .batch_first = true});
  lstm.eval();
  const graph::Graph graph =
      graph::capture([&](const TensorList& x) { return TensorList{lstm(x[0])}; },
                     {{"x", DType::f32, {Dim::symbol("batch"), Dim::symbol("steps"), 2}}}, {"y"});
  int found = 0;
  for (const graph::Node& node : graph.nodes()) found += node.op == &op::LSTM;
  EXPECT_EQ(found, 2);
  EXPECT_EQ(str(graph.value(graph.outputs[0]).type.dims), "[batch, steps, 3]");
}

TEST(Recurrent, RefusesWhatDoesNotFit) {
  EXPECT_THROW(LSTM(0, 3), Error);
  EXPECT_THROW(RNN(2, 3, {}, "gelu"), Error);
  GRU gru(2, 3);
  EXPECT_THROW(gru.run(Tensor::ones({4, 2})), Error);
  EXPECT_THROW(gru.run(Tensor::ones({4, 1, 2}), {}, Tensor::ones({1, 1, 3})), Error);
}

}  // namespace
}  // namespace tenon::nn
