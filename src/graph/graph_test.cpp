// Capturing, printing, checking, running and differentiating graphs.
#include <gtest/gtest.h>

#include "autograd/autograd.h"
#include "graph/capture.h"
#include "graph/differentiate.h"
#include "graph/interpreter.h"
#include "nn/layers.h"
#include "nn/loss.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/random.h"

namespace tenon {

namespace {

using graph::capture;
using graph::Graph;
using graph::Interpreter;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

Graph capture_linear(nn::Module& model) {
  return capture([&](const TensorList& x) { return TensorList{model(x[0])}; },
                 {{"x", DType::f32, {Dim::symbol("batch"), 3}}}, {"y"}, model.state());
}

TEST(Graph, CountsTheProductsOfFusedOperators) {
  const auto count = [](const graph::InputSpec& x, auto&& body) {
    const Graph g =
        capture([&](const TensorList& in) { return TensorList{body(in[0])}; }, {x}, {"y"});
    return g.flops({{"batch", 4}}).front().second;
  };
  const Dim batch = Dim::symbol("batch");
  const Tensor kernel = randn({8, 3, 3, 3}), matrix = randn({5, 6});
  // Twice the multiplications: windows of 3x3x3 for 8 maps of 6x6.
  EXPECT_EQ(count({"x", DType::f32, {batch, 3, 8, 8}},
                  [&](const Tensor& x) {
                    return op::FusedConv(x, kernel, {{"activation", "Relu"}});
                  }),
            2.0 * 4 * 8 * 36 * 27);
  EXPECT_EQ(count({"x", DType::f32, {5, batch}},
                  [&](const Tensor& x) {
                    return op::FusedMatMul(x, matrix, {{"transA", 1}});
                  }),
            2.0 * 4 * 5 * 6);
  const Tensor w = randn({1, 12, 5}), r = randn({1, 12, 3});
  EXPECT_EQ(count({"x", DType::f32, {7, batch, 5}},
                  [&](const Tensor& x) {
                    return op::LSTM.all({x, w, r}, {{"hidden_size", 3}}, 1)[0];
                  }),
            2.0 * 7 * 4 * 12 * (5 + 3));
}

TEST(Graph, CapturesAModuleWithADynamicBatch) {
  manual_seed(1);
  nn::Linear model(3, 2);
  const Graph g = capture_linear(model);
  g.verify();
  EXPECT_EQ(g.value(g.outputs[0]).name, "y");
  EXPECT_EQ(g.value(g.outputs[0]).type.str(), "f32[batch, 2]");
  EXPECT_NE(g.find_value("weight"), graph::kNoValue);
  EXPECT_TRUE(g.value(g.find_value("weight")).parameter);
  const NoGrad no_grad;
  for (int64_t batch : {1, 5}) {
    const Tensor x = randn({batch, 3});
    EXPECT_EQ(Interpreter(g).run({x})[0].to_vector<float>(), model(x).to_vector<float>());
  }
}

TEST(Graph, PrintsWhatItDoes) {
  nn::Linear model(3, 2);
  const std::string text = capture_linear(model).str();
  EXPECT_NE(text.find("%x: f32[batch, 3]"), std::string::npos) << text;
  EXPECT_NE(text.find("= Gemm(%x, %weight, %bias) {transB=1}"), std::string::npos) << text;
  EXPECT_NE(text.find("return %y"), std::string::npos) << text;
}

TEST(Graph, RefusesInputsThatDoNotFit) {
  nn::Linear model(3, 2);
  const Graph g = capture_linear(model);
  const Interpreter run(g);
  EXPECT_NE(message_of([&] {
              run.run({Tensor::ones({2, 4})});
            }).find("input x is f32[2, 4]"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              run.run({Tensor::ones({2, 3}, DType::f64)});
            }).find("f64"),
            std::string::npos);
  EXPECT_NE(message_of([&] { run.run({}); }).find("0 inputs given"), std::string::npos);
}

TEST(Graph, BindsSymbolsOverAllInputs) {
  const Dim n = Dim::symbol("n");
  const Graph g = capture([](const TensorList& x) { return TensorList{x[0] + x[1]}; },
                          {{"a", DType::f32, {n}}, {"b", DType::f32, {n}}});
  EXPECT_NE(message_of([&] {
              Interpreter(g).run({Tensor::ones({2}), Tensor::ones({3})});
            }).find("n was 2"),
            std::string::npos);
}

TEST(Graph, KeepsTensorsOfTheFunctionApart) {
  // Both constants may lie at the same address one after the other.
  const Graph g = capture(
      [](const TensorList& x) {
        Tensor y = x[0];
        for (double factor : {2.0, 3.0, 5.0}) y = y * Tensor::full({1}, factor);
        return TensorList{y};
      },
      {{"x", DType::f32, {1}}});
  EXPECT_EQ(Interpreter(g).run({Tensor::ones({1})})[0].item<float>(), 30);
}

TEST(Graph, OutputMayBeAnInput) {
  const Graph g = capture(
      [](const TensorList& x) {
        return TensorList{x[0], x[0]};
      },
      {{"x", DType::f32, {2}}}, {"a", "b"});
  g.verify();
  EXPECT_EQ(Interpreter(g).run({Tensor::ones({2})}).size(), 2U);
  EXPECT_EQ(g.value(g.outputs[1]).name, "b");
}

TEST(Graph, SaysWhenDataIsAskedOfASymbol) {
  const auto message = message_of([] {
    capture(
        [](const TensorList& x) {
          (void)x[0].item<float>();
          return x;
        },
        {{"x", DType::f32, {1}}});
  });
  EXPECT_NE(message, "no error");
  EXPECT_EQ(message.find("bug"), std::string::npos) << message;
}

TEST(Graph, DifferentiatesAModule) {
  manual_seed(3);
  nn::Sequential model;
  model.emplace<nn::Linear>(4, 8);
  model.emplace<nn::Activation>("Tanh");
  model.emplace<nn::Linear>(8, 3);
  const Tensor x = randn({5, 4}), labels = Tensor::from<int64_t>({0, 1, 2, 1, 0}, {5});
  const Graph forward = capture(
      [&](const TensorList& in) { return TensorList{nn::cross_entropy(model(in[0]), in[1])}; },
      {{"x", DType::f32, {Dim::symbol("batch"), 4}},
       {"labels", DType::i64, {Dim::symbol("batch")}}},
      {"loss"}, model.state());
  const Graph both = graph::differentiate(forward);
  both.verify();

  TensorList inputs{x, labels};
  for (graph::ValueId id : both.inputs)
    if (const std::string& name = both.value(id).name; name != "x" && name != "labels")
      for (const auto& [known, tensor] : model.named_parameters())
        if (known == name) inputs.push_back(tensor.detach());
  const TensorList results = Interpreter(both).run(inputs);
  const Tensor loss = nn::cross_entropy(model(x), labels);
  EXPECT_FLOAT_EQ(results[0].item<float>(), loss.item<float>());
  loss.backward();
  for (size_t i = 1; i < results.size(); ++i) {
    const std::string& name = both.value(both.outputs[i]).name;
    for (const auto& [known, tensor] : model.named_parameters()) {
      if (name != "grad(" + known + ")") continue;
      const auto expected = tensor.grad().to_vector<float>(),
                 actual = results[i].to_vector<float>();
      for (size_t k = 0; k < expected.size(); ++k)
        EXPECT_NEAR(actual[k], expected[k], 1e-6) << known;
    }
  }
  EXPECT_EQ(results.size(), 5U);
}

TEST(Graph, AnImportedGraphCanBeTrained) {
  nn::Linear model(3, 1);
  const Graph g = capture_linear(model);
  Interpreter run(g);
  Tensor weight = model.weight.detach().clone().requires_grad_();
  run.set_constant(g.find_value("weight"), weight);
  run.run({Tensor::ones({2, 3})})[0].sum().backward();
  EXPECT_EQ(weight.grad().to_vector<float>(), (std::vector<float>{2, 2, 2}));
}

}  // namespace

}  // namespace tenon
