// Modules, optimisers and schedules.
#include <gtest/gtest.h>

#include <cmath>

#include "nn/layers.h"
#include "nn/loss.h"
#include "nn/optimizer.h"
#include "nn/schedule.h"
#include "ops/math/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"

namespace tenon::nn {

namespace {

struct Net : Module {
  Linear hidden{4, 3}, out{3, 2};
  Net() { add("hidden", hidden), add("out", out); }
  Tensor forward(const Tensor& x) override { return out(op::Relu(hidden(x))); }
};

TEST(Module, NamesParametersByPath) {
  Net net;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : net.named_parameters()) names.push_back(name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"hidden.weight", "hidden.bias", "out.weight", "out.bias"}));
}

TEST(Module, LoadsStateAndNamesWhatDoesNotFit) {
  Net a, b;
  b.load_state(a.state());
  EXPECT_EQ(a.hidden.weight.to_vector<float>(), b.hidden.weight.to_vector<float>());
  NamedTensors wrong = a.state();
  wrong[0].first = "hiden.weight";
  wrong[1].second = Tensor::ones({7});
  const auto before = b.out.weight.to_vector<float>();
  try {
    b.load_state(wrong);
    FAIL();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("hidden.weight is missing"), std::string::npos) << message;
    EXPECT_NE(message.find("did you mean hidden.weight"), std::string::npos) << message;
    EXPECT_NE(message.find("[7]"), std::string::npos) << message;
  }
  EXPECT_EQ(b.out.weight.to_vector<float>(), before);
}

TEST(Module, ModesReachAllChildren) {
  Sequential model;
  auto& dropout = model.emplace<Dropout>(0.5);
  model.eval();
  EXPECT_FALSE(dropout.training());
  const Tensor x = Tensor::ones({100});
  EXPECT_EQ(model(x).to_vector<float>(), x.to_vector<float>());
  model.train();
  EXPECT_NE(model(x).to_vector<float>(), x.to_vector<float>());
}

TEST(Layers, BatchNormMovesItsStatisticsInTrainingOnly) {
  BatchNorm2d norm(2);
  const Tensor x = randn({8, 2, 3, 3}) * 2.0 + 5.0;
  norm(x);
  const auto moved = norm.running_mean.to_vector<float>();
  EXPECT_NEAR(moved[0], 0.5, 0.2);
  norm.eval();
  norm(x);
  EXPECT_EQ(norm.running_mean.to_vector<float>(), moved);
}

TEST(Layers, EmbeddingPicksRowsAndCollectsTheirGradients) {
  Embedding table(4, 2);
  const Tensor rows = table(Tensor::ints({1, 1, 3}));
  EXPECT_EQ(rows.shape(), (Shape{3, 2}));
  rows.sum().backward();
  EXPECT_EQ(table.weight.grad().to_vector<float>(), (std::vector<float>{0, 0, 2, 2, 0, 0, 1, 1}));
}

// f(w) = sum (w - 3)^2 has its minimum at 3.
template <class Make>
double minimum_found(Make make, int steps) {
  struct Point : Module {
    Tensor w = parameter("w", Tensor::from<float>({0, 10}, {2}));
  } point;
  auto optimizer = make(point);
  for (int i = 0; i < steps; ++i) {
    optimizer.zero_grad();
    mse_loss(point.w, Tensor::full({2}, 3), Reduction::sum).backward();
    optimizer.step();
  }
  const Tensor& found = point.w;
  const std::vector<float> w = found.to_vector<float>();
  return std::abs(w[0] - 3) + std::abs(w[1] - 3);
}

TEST(Optimizer, EachFindsAMinimum) {
  EXPECT_LT(minimum_found([](const Module& m) { return SGD(m, {.lr = 0.1}); }, 100), 1e-4);
  EXPECT_LT(
      minimum_found(
          [](const Module& m) { return SGD(m, {.lr = 0.02, .momentum = 0.9, .nesterov = true}); },
          300),
      1e-3);
  EXPECT_LT(minimum_found([](const Module& m) { return Adam(m, {.lr = 0.1}); }, 1000), 1e-2);
  EXPECT_LT(minimum_found([](const Module& m) { return AdamW(m, {.lr = 0.1}); }, 1000), 1e-2);
}

TEST(Optimizer, ContinuesFromItsState) {
  manual_seed(2);
  Net a, b;
  const Tensor x = randn({6, 4});
  const auto train = [&](Net& net, Optimizer& optimizer) {
    optimizer.zero_grad();
    net(x).sum().backward();
    optimizer.step();
  };
  AdamW first(a, {}), second(b, {});
  train(a, first);
  b.load_state(a.state());
  second.load_state(first.state());
  train(a, first);
  train(b, second);
  EXPECT_EQ(a.hidden.weight.to_vector<float>(), b.hidden.weight.to_vector<float>());
  EXPECT_EQ(second.steps(), 2);
}

TEST(Optimizer, RefusesNesterovWithoutMomentum) {
  Net net;
  EXPECT_THROW(SGD(net, {.nesterov = true}), Error);
}

TEST(Schedule, FollowsItsFormula) {
  EXPECT_DOUBLE_EQ(StepSchedule(10, 0.5).factor(25), 0.25);
  const CosineSchedule cosine(100, 0.1);
  EXPECT_DOUBLE_EQ(cosine.factor(0), 1);
  EXPECT_NEAR(cosine.factor(50), 0.55, 1e-12);
  EXPECT_NEAR(cosine.factor(1000), 0.1, 1e-12);
  const WarmupSchedule warm(4, std::make_shared<CosineSchedule>(100, 0.1));
  EXPECT_DOUBLE_EQ(warm.factor(0), 0.25);
  EXPECT_DOUBLE_EQ(warm.factor(4), 1);
}

}  // namespace

}  // namespace tenon::nn
