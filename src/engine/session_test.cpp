// Sessions: plans for shapes as they come, memory that is shared, threads that run at once.
#include "engine/session.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <thread>

#include "engine/memory_plan.h"
#include "graph/capture.h"
#include "graph/interpreter.h"
#include "nn/layers.h"
#include "ops/control/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/sequence/catalog.h"
#include "ops/shape/catalog.h"
#include "ops/text/catalog.h"
#include "runtime/random.h"

namespace tenon::engine {

namespace {

using graph::capture;
using graph::Graph;

double largest_difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  double most = 0;
  for (size_t i = 0; i < x.size() && i < y.size(); ++i)
    most = std::max(most, std::abs(x[i] - y[i]));
  return most;
}

void expect_same(const Session& session, const Graph& graph, const TensorList& inputs) {
  const TensorList expected = graph::Interpreter(graph).run(inputs), actual = session.run(inputs);
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    EXPECT_LE(largest_difference(actual[i], expected[i]), 1e-5) << "output " << i;
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// A small network with a residual connection; batch and sides are free.
Graph small_network() {
  manual_seed(1);
  auto first = std::make_shared<nn::Conv2d>(3, 8, 3, nn::Conv2dOptions{.padding = 1});
  auto second = std::make_shared<nn::Conv2d>(8, 8, 3, nn::Conv2dOptions{.padding = 1});
  nn::Linear last(8, 5);
  return capture(
      [&](const TensorList& x) {
        const Tensor a = op::Relu((*first)(x[0]));
        const Tensor b = op::Relu((*second)(a) + a);
        const Tensor pooled = op::GlobalAveragePool(b);
        return TensorList{last(op::Flatten(pooled, {{"axis", 1}})), b};
      },
      {{"images", DType::f32, {Dim::symbol("batch"), 3, Dim::symbol("h"), Dim::symbol("w")}}},
      {"scores", "features"});
}

TEST(Session, PlansForEveryShape) {
  const Graph graph = small_network();
  SessionOptions options;
  options.max_plans = 2;
  const Session session(graph, options);
  for (const Shape& shape : {Shape{1, 3, 8, 8}, Shape{4, 3, 9, 7}, Shape{2, 3, 16, 5},
                             Shape{1, 3, 8, 8}, Shape{4, 3, 9, 7}})
    expect_same(session, graph, {rand(shape)});
}

TEST(Session, ReadsStridedInputs) {
  const Graph graph = small_network();
  expect_same(Session(graph), graph, {rand({2, 8, 8, 3}).permute({0, 3, 1, 2})});
}

TEST(Session, WritesIntoGivenTensors) {
  const Graph graph = small_network();
  const Session session(graph);
  const Tensor x = rand({2, 3, 6, 6});
  TensorList results{Tensor::zeros({2, 5}), Tensor()};
  const void* before = results[0].raw();
  session.run_into({x}, results);
  EXPECT_EQ(results[0].raw(), before);
  EXPECT_LE(largest_difference(results[0], session.run({x})[0]), 0);
  EXPECT_EQ(results[1].shape(), (Shape{2, 8, 6, 6}));
  TensorList wrong{Tensor::zeros({2, 4}), Tensor()};
  EXPECT_NE(message_of([&] {
              session.run_into({x}, wrong);
            }).find("output 0 is given as f32[2, 4]; give a contiguous f32[2, 5], or none"),
            std::string::npos);
}

TEST(Session, SaysWhatIsWrongWithInputs) {
  const Session session(small_network());
  EXPECT_NE(message_of([&] { session.run({}); }).find("0 inputs given; the graph takes 1"),
            std::string::npos);
  const std::string wrong_type = message_of([&] {
    session.run({Tensor::zeros({1, 3, 8, 8}, DType::i32)});
  });
  EXPECT_NE(wrong_type.find("input images is i32[1, 3, 8, 8]; give one of f32[batch, 3, h, w]"),
            std::string::npos)
      << wrong_type;
}

TEST(Session, RunsOnManyThreadsAtOnce) {
  const Graph graph = small_network();
  const Session session(graph);
  const TensorList inputs{rand({1, 3, 8, 8})}, others{rand({2, 3, 8, 8})};
  const Tensor expected = session.run(inputs)[0], other = session.run(others)[0];
  std::vector<std::thread> threads;
  std::vector<double> worst(4, 0);
  for (size_t t = 0; t < worst.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const bool first = (i + static_cast<int>(t)) % 2 == 0;
        const Tensor got = session.run(first ? inputs : others)[0];
        worst[t] = std::max(worst[t], largest_difference(got, first ? expected : other));
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (double difference : worst) EXPECT_EQ(difference, 0);
}

TEST(Session, SharesMemoryBetweenValuesThatDoNotMeet) {
  const Graph graph = capture(
      [](const TensorList& x) {
        Tensor y = x[0];
        for (int i = 0; i < 10; ++i) y = op::Softmax(y, {{"axis", -1}});
        return TensorList{y};
      },
      {{"x", DType::f32, {64, 64}}}, {"y"});
  const TensorList inputs{rand({64, 64})};
  const MemoryInfo shared = Session(graph).memory(inputs);
  EXPECT_LE(shared.arena_bytes, 3 * 64 * 64 * 4);
  EXPECT_GE(shared.arena_bytes, shared.live_bytes);
  SessionOptions options;
  options.share_memory = false;
  EXPECT_GE(Session(graph, options).memory(inputs).arena_bytes, 9 * 64 * 64 * 4);
  expect_same(Session(graph), graph, inputs);
}

TEST(Session, FollowsSizesThatDataDecide) {
  const Graph graph = capture(
      [](const TensorList& x) {
        const Tensor places = op::NonZero(x[0]);
        return TensorList{places, op::Transpose(places) + Tensor::ints({1}), op::Neg(x[0])};
      },
      {{"x", DType::f32, {Dim::symbol("n"), 3}}}, {"places", "shifted", "negated"});
  const Session session(graph);
  expect_same(session, graph, {Tensor::from<float>({0, 1, 2, 0, 0, 3}, {2, 3})});
  expect_same(session, graph, {Tensor::from<float>({0, 0, 0}, {1, 3})});
}

TEST(Session, ComputesShapesWhilePlanning) {
  const Graph graph = capture(
      [](const TensorList& x) {
        const Tensor shape = op::Shape(x[0]);
        const Tensor rows = op::Gather(shape, Tensor::ints({0}), {{"axis", 0}});
        const Tensor wanted = op::Concat.all({rows, Tensor::ints({-1})}, {{"axis", 0}})[0];
        return TensorList{op::Relu(op::Reshape(x[0], wanted))};
      },
      {{"x", DType::f32, {Dim::symbol("n"), 3, Dim::symbol("m")}}}, {"y"});
  const Session session(graph);
  const TensorList inputs{rand({4, 3, 5})};
  expect_same(session, graph, inputs);
  for (const StepInfo& step : session.steps(inputs)) EXPECT_NE(step.kernel, "apply") << step.op;
}

TEST(Session, PassesInputsAndConstantsThrough) {
  const Graph graph = capture(
      [](const TensorList& x) {
        return TensorList{x[0], Tensor::ones({2}), op::Identity(x[0]), op::Neg(op::Neg(x[0]))};
      },
      {{"x", DType::f32, {3}}}, {"a", "b", "c", "d"});
  const Session session(graph);
  const TensorList inputs{Tensor::from<float>({1, 2, 3}, {3})};
  expect_same(session, graph, inputs);
  session.run(inputs)[0].fill(0);
  EXPECT_EQ(inputs[0].to_vector<float>(), (std::vector<float>{1, 2, 3}));
}

// Neither what is folded for one plan nor a view of weights may be taken for something else.
TEST(Session, PacksConstantsOfPlansApart) {
  manual_seed(4);
  const Tensor big = randn({300, 400}), small = randn({8, 24});
  const Graph graph = capture(
      [&](const TensorList& x) {
        const Tensor viewed = op::Reshape(big, Tensor::ints({400, 300}));
        const Tensor folded = op::Transpose(small);
        const Tensor halved = op::MatMul(op::MatMul(x[0], viewed), randn({300, 24}));
        return TensorList{op::MatMul(halved, folded), op::MatMul(halved, folded * 2.0)};
      },
      {{"x", DType::f32, {Dim::symbol("n"), 400}}}, {"y", "z"});
  SessionOptions options;
  options.max_plans = 1;
  for (const bool optimize : {true, false}) {
    options.optimize = optimize;
    const Session session(graph, options);
    for (const int64_t rows : {1, 7, 2, 33, 1, 7}) {
      const TensorList inputs{randn({rows, 400})};
      const TensorList expected = graph::Interpreter(graph).run(inputs);
      const TensorList actual = session.run(inputs);
      for (size_t i = 0; i < actual.size(); ++i)
        EXPECT_LE(largest_difference(actual[i], expected[i]),
                  1e-5 * op::ReduceMax(op::Abs(expected[i]), {{"keepdims", 0}}).item<double>())
            << rows << " rows, " << (optimize ? "optimised" : "as it is");
    }
  }
}

// Neither the next run nor the end of the session changes what a sequence holds.
TEST(Session, GivesContainersThatLast) {
  const Graph graph = capture(
      [](const TensorList& x) {
        const Tensor twice = x[0] * 2.0;
        const Tensor pair = op::SequenceConstruct.all({op::Tanh(twice), Tensor::ones({2, 3})})[0];
        return TensorList{op::SequenceInsert(pair, op::Exp(op::Neg(twice))), op::Optional(twice)};
      },
      {{"x", DType::f32, {Dim::symbol("n"), 3}}}, {"sequence", "optional"});
  for (const bool optimize : {true, false}) {
    SessionOptions options;
    options.optimize = optimize;
    auto session = std::make_unique<Session>(graph, options);
    const TensorList inputs{Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3})};
    const TensorList expected = graph::Interpreter(graph).run(inputs);
    const TensorList actual = session->run(inputs);
    session->run({Tensor::full({2, 3}, 9)});
    session.reset();
    for (size_t i = 0; i < 2; ++i) {
      const auto a = actual[i].elements(), e = expected[i].elements();
      ASSERT_EQ(a.size(), e.size());
      for (size_t k = 0; k < a.size(); ++k) EXPECT_LE(largest_difference(a[k], e[k]), 1e-6);
    }
  }
}

TEST(Session, GivesResultsOfTheirOwnWhereDataDecideTheShape) {
  const Graph graph = capture(
      [](const TensorList& x) {
        const Tensor reshaped = op::Reshape(x[0], x[1]);
        return TensorList{reshaped, reshaped, op::Reshape(Tensor::ones({6}), x[1])};
      },
      {{"x", DType::f32, {6}}, {"shape", DType::i64, {2}}}, {"y", "z", "ones"});
  const Session session(graph);
  const TensorList inputs{Tensor::from<float>({1, 2, 3, 4, 5, 6}, {6}), Tensor::ints({2, 3})};
  for (int run = 0; run < 2; ++run) {
    expect_same(session, graph, inputs);
    TensorList results = session.run(inputs);
    results[0].fill(0);
    results[2].fill(0);
    EXPECT_EQ(results[1].to_vector<float>(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(inputs[0].to_vector<float>(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  }
}

TEST(Session, HandlesStrings) {
  const Graph graph = capture(
      [](const TensorList& x) {
        return TensorList{op::StringConcat(x[0], x[0]), x[0]};
      },
      {{"x", DType::string, {2}}}, {"y", "x_again"});
  const TensorList results = Session(graph).run({Tensor::strings({"a", "bc"}, {2})});
  EXPECT_EQ(results[0].to_vector<std::string>(), (std::vector<std::string>{"aa", "bcbc"}));
  EXPECT_EQ(results[1].to_vector<std::string>(), (std::vector<std::string>{"a", "bc"}));
}

TEST(MemoryPlan, OverlapsOnlyWhatDoesNotMeet) {
  const std::vector<Lifetime> blocks{{100, 0, 1}, {200, 1, 2}, {100, 2, 3}, {64, 0, 3}, {0, 1, 1}};
  const MemoryPlan plan = plan_memory(blocks);
  EXPECT_EQ(plan.live_bytes, 128 + 256 + 64);
  EXPECT_EQ(plan.bytes, plan.live_bytes);
  for (size_t i = 0; i < blocks.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      if (blocks[i].last < blocks[j].first || blocks[j].last < blocks[i].first) continue;
      EXPECT_TRUE(plan.offsets[i] + blocks[i].bytes <= plan.offsets[j] ||
                  plan.offsets[j] + blocks[j].bytes <= plan.offsets[i])
          << i << " and " << j;
    }
}

}  // namespace

}  // namespace tenon::engine
