// For tests of passes: a graph before and after one of them computes the same.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "graph/capture.h"
#include "graph/interpreter.h"
#include "graph/pass.h"
#include "runtime/dispatch.h"

namespace tenon::graph {

inline int count(const Graph& graph, const OpDef& op) {
  return static_cast<int>(
      std::ranges::count_if(graph.nodes(), [&](const Node& node) { return node.op == &op; }));
}

inline Graph with_passes(const Graph& graph, std::vector<std::string> passes) {
  Graph result = graph;
  run_passes(result, {.only = std::move(passes), .verify = true});
  return result;
}

// Both give the same outputs, of the same names, types and shapes; floats within `tolerance`,
// absolute and relative.
inline void expect_same(const Graph& before, const Graph& after, const TensorList& inputs,
                        double tolerance = 0) {
  const NoGrad no_grad;
  const TensorList wanted = Interpreter(before).run(inputs);
  const TensorList given = Interpreter(after).run(inputs);
  ASSERT_EQ(wanted.size(), given.size());
  for (size_t o = 0; o < wanted.size(); ++o) {
    EXPECT_EQ(before.value(before.outputs[o]).name, after.value(after.outputs[o]).name);
    ASSERT_EQ(wanted[o].dtype(), given[o].dtype());
    ASSERT_EQ(wanted[o].shape().str(), given[o].shape().str()) << after.str();
    const auto a = wanted[o].to_vector<double>(), b = given[o].to_vector<double>();
    for (size_t i = 0; i < a.size(); ++i) {
      if (std::isnan(a[i]) && std::isnan(b[i])) continue;
      if (a[i] == b[i]) continue;
      ASSERT_NEAR(a[i], b[i], tolerance * (1 + std::fabs(a[i]))) << "element " << i << after.str();
    }
  }
}

// Runs one pass and checks that nothing else changed; returns the graph after it.
inline Graph checked(const Graph& before, const std::string& pass, const TensorList& inputs,
                     double tolerance = 0) {
  Graph after = with_passes(before, {pass});
  expect_same(before, after, inputs, tolerance);
  return after;
}

// A function of one f32 tensor, captured.
inline Graph of_one(const Dims& dims, const std::function<Tensor(const Tensor&)>& function,
                    DType type = DType::f32) {
  return capture([&](const TensorList& x) { return TensorList{function(x[0])}; },
                 {{"x", type, dims}}, {"y"});
}

}  // namespace tenon::graph
