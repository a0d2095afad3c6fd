// Sessions by the hundred, shapes by the thousand, threads that meet, and weights that are given
// back: bounded memory, and the same results.
#include <gtest/gtest.h>

#include <algorithm>
#include <exception>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/threads.h"
#include "engine/session.h"
#include "formats/onnx/export.h"
#include "graph/capture.h"
#include "graph/interpreter.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "runtime/random.h"
#include "tensor/device.h"

namespace tenon::engine {

namespace {

using graph::capture;
using graph::Graph;

int64_t bytes_in_use() { return cpu_device().allocator().stats().in_use; }

double largest_difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  double most = 0;
  for (size_t i = 0; i < x.size() && i < y.size(); ++i)
    most = std::max(most, std::abs(x[i] - y[i]));
  return most;
}

// Two products with weights of 256 KiB and 128 KiB, the second of which is read as it is too.
Graph two_products() {
  manual_seed(3);
  const Tensor first = randn({256, 256}) * 0.05, second = randn({256, 128}) * 0.05;
  return capture(
      [&](const TensorList& x) {
        const Tensor hidden = op::Relu(op::MatMul(x[0], first));
        return TensorList{op::MatMul(hidden, second), op::Neg(second)};
      },
      {{"x", DType::f32, {Dim::symbol("rows"), 256}}}, {"y", "negated"});
}

Graph small_image_network() {
  manual_seed(5);
  const Tensor weights = randn({8, 3, 3, 3}), bias = randn({8});
  return capture(
      [&](const TensorList& x) {
        return TensorList{op::Relu(op::Conv(x[0], weights, bias, {{"pads", {1, 1, 1, 1}}}))};
      },
      {{"x", DType::f32, {Dim::symbol("n"), 3, Dim::symbol("h"), Dim::symbol("w")}}}, {"y"});
}

TEST(SessionStress, HundredSessionsLeaveNothingBehind) {
  const Graph graph = small_image_network();
  const TensorList inputs{rand({1, 3, 8, 8})};
  const Tensor expected = graph::Interpreter(graph).run(inputs)[0];
  const auto once = [&] {
    const Session session(graph);
    EXPECT_LE(largest_difference(session.run(inputs)[0], expected), 1e-5);
  };
  once();
  const int64_t before = bytes_in_use();
  for (int i = 0; i < 100; ++i) once();
  EXPECT_LE(bytes_in_use(), before + (64 << 10));
}

TEST(SessionStress, ThousandShapesTakeTheMemoryOfSixteen) {
  const Graph graph = small_image_network();
  SessionOptions options;
  options.tune = Tune::off;  // or each shape is measured
  options.max_plans = 16;
  const Session session(graph, options);
  const auto shape_of = [](int64_t i) { return Shape{1, 3, 4 + i / 40, 4 + i % 40}; };
  const auto run = [&](int64_t i) { session.run({Tensor::ones(shape_of(i))}); };
  // The largest shapes come last: what they take is the bound.
  for (int64_t i = 984; i < 1000; ++i) run(i);
  const int64_t most = bytes_in_use(), packed = session.packed().bytes();
  for (int64_t i = 0; i < 1000; ++i) {
    run(i);
    ASSERT_LE(bytes_in_use(), most + (64 << 10)) << i;
  }
  EXPECT_EQ(session.packed().bytes(), packed);
  const TensorList inputs{rand(shape_of(500))};
  EXPECT_LE(largest_difference(session.run(inputs)[0], graph::Interpreter(graph).run(inputs)[0]),
            1e-5);
}

// Threads whose shapes are new at the same time, beside threads whose plan is there.
void run_from_threads(const Session& session, const Graph& graph) {
  constexpr int kThreads = 4, kRuns = 12;
  std::vector<TensorList> inputs, expected;
  for (int64_t rows = 1; rows <= 3; ++rows) {
    inputs.push_back({rand({rows, 256})});
    expected.push_back(graph::Interpreter(graph).run(inputs.back()));
  }
  std::vector<double> worst(kThreads, 0);
  std::vector<std::exception_ptr> failures(kThreads);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      try {
        for (size_t i = 0; i < kRuns; ++i) {
          const size_t which = (i + t) % inputs.size();
          const TensorList got = session.run(inputs[which]);
          for (size_t k = 0; k < got.size(); ++k)
            worst[t] = std::max(worst[t], largest_difference(got[k], expected[which][k]));
        }
      } catch (...) {
        failures[t] = std::current_exception();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (size_t t = 0; t < kThreads; ++t) {
    EXPECT_EQ(failures[t], nullptr) << "thread " << t;
    EXPECT_LE(worst[t], 1e-4) << "thread " << t;
  }
}

class SessionsOfFiles : public ::testing::Test {
 protected:
  SessionsOfFiles() { formats::export_onnx(graph_, path_); }

  const TempDirectory folder_{"session"};
  const std::string path_ = folder_.path() + "/model.onnx";
  const Graph graph_ = two_products();
};

TEST_F(SessionsOfFiles, RunOnThreadsWhileWeightsComeBack) {
  for (int i = 0; i < 5; ++i) run_from_threads(Session::load(path_), graph_);
}

TEST_F(SessionsOfFiles, GiveBackWeightsAndReadThemAgain) {
  const TensorList one{rand({1, 256})}, many{rand({70, 256})};
  const Session session = Session::load(path_);
  const auto check = [&](const TensorList& inputs) {
    const TensorList expected = graph::Interpreter(graph_).run(inputs);
    const TensorList got = session.run(inputs);
    for (size_t i = 0; i < got.size(); ++i)
      EXPECT_LE(largest_difference(got[i], expected[i]), 1e-4) << "output " << i;
  };
  for (const TensorList* inputs : {&one, &one, &many, &one, &many}) check(*inputs);
  // Whoever looks at the graph finds the weights as they were.
  const graph::ValueId id = [&] {
    for (size_t v = 0; v < session.graph().values().size(); ++v) {
      const graph::Value& value = session.graph().values()[v];
      if (value.is_constant() && value.type.constant.shape() == Shape{256, 256})
        return static_cast<graph::ValueId>(v);
    }
    return graph::kNoValue;
  }();
  ASSERT_NE(id, graph::kNoValue);
  const auto values = session.graph().value(id).type.constant.to_vector<float>();
  EXPECT_GT(std::ranges::count_if(values, [](float v) { return v != 0; }), 65000);
}

TEST_F(SessionsOfFiles, KeepTheGraphOfWhoAskedForIt) {
  const Session session = Session::load(path_);
  const Graph& graph = session.graph();
  session.run({rand({1, 256})});
  for (const graph::Value& value : graph.values()) {
    if (!value.is_constant() || value.type.constant.numel() < 1000) continue;
    const auto values = value.type.constant.to_vector<float>();
    EXPECT_EQ(std::ranges::count(values, 0.F), 0) << value.name;
  }
}

TEST_F(SessionsOfFiles, OutliveTheirFilesName) {
  const Session session = Session::load(path_);
  const TensorList one{rand({1, 256})}, many{rand({9, 256})};
  session.run(one);
  const TempDirectory other("other");
  formats::export_onnx(small_image_network(), other.path() + "/model.onnx");
  rename_path(other.path() + "/model.onnx", path_);
  const Tensor expected = graph::Interpreter(graph_).run(many)[0];
  EXPECT_LE(largest_difference(session.run(many)[0], expected), 1e-4);
}

TEST_F(SessionsOfFiles, RefuseFilesThatWereWrittenTo) {
  const Session session = Session::load(path_);
  const TensorList one{rand({40, 256})};
  const Tensor expected = session.run(one)[0];
  const MemoryInfo memory = session.memory(one);
  if (memory.packed_bytes == 0) GTEST_SKIP() << "nothing is packed here, so nothing is read again";
  {
    std::ofstream file(path_, std::ios::binary | std::ios::app);
    file << "more";
  }
  try {
    session.run({rand({9, 256})});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_NE(std::string(error.what()).find("it was written to while in use"), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(largest_difference(session.run(one)[0], expected), 0);
}

}  // namespace

}  // namespace tenon::engine
