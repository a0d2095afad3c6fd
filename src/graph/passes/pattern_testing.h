// For tests of passes: a function is captured, the passes run over it, and the graph must still
// compute the same.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "graph/capture.h"
#include "graph/interpreter.h"
#include "graph/pass.h"
#include "runtime/random.h"

namespace tenon::passes {

inline size_t count_of(const graph::Graph& g, const OpDef& op) {
  return static_cast<size_t>(
      std::ranges::count_if(g.nodes(), [&](const graph::Node& n) { return n.op == &op; }));
}

// The one node of that operator; fails the test where there is none or more than one.
inline const graph::Node& only_node(const graph::Graph& g, const OpDef& op) {
  EXPECT_EQ(count_of(g, op), 1U) << g.str();
  const auto found =
      std::ranges::find_if(g.nodes(), [&](const graph::Node& n) { return n.op == &op; });
  if (found == g.nodes().end()) throw Error(ErrorKind::bug, g.str());
  return *found;
}

// The graph after the passes named, with names and types of inputs and outputs as before, and
// results within `tolerance` of what they were on `inputs`.
inline graph::Graph after_passes(const graph::Graph& before, std::vector<std::string> only,
                                 const TensorList& inputs, double tolerance = 2e-6) {
  graph::Graph g = before;
  graph::run_passes(g, {.only = std::move(only), .verify = true});
  for (size_t i = 0; i < before.outputs.size(); ++i) {
    EXPECT_EQ(g.value(g.outputs[i]).name, before.value(before.outputs[i]).name);
    EXPECT_EQ(g.value(g.outputs[i]).type.str(), before.value(before.outputs[i]).type.str());
  }
  const TensorList expected = graph::Interpreter(before).run(inputs);
  const TensorList actual = graph::Interpreter(g).run(inputs);
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(actual[i].shape().str(), expected[i].shape().str());
    const auto a = actual[i].to_vector<double>(), e = expected[i].to_vector<double>();
    double worst = 0, size = 1;
    for (size_t k = 0; k < e.size(); ++k) {
      EXPECT_EQ(std::isfinite(a[k]), std::isfinite(e[k])) << "element " << k;
      if (std::isfinite(e[k])) worst = std::max(worst, std::abs(a[k] - e[k]));
      if (std::isfinite(e[k])) size = std::max(size, std::abs(e[k]));
    }
    EXPECT_LE(worst, tolerance * size) << "output " << i << " of\n" << g.str();
  }
  return g;
}

// `pass` behind those that tidy graphs up, which rewrite the spellings that it must still know.
inline graph::Graph after_tidying(const graph::Graph& before, const std::string& pass,
                                  const TensorList& inputs, double tolerance = 2e-6) {
  return after_passes(before,
                      {"fold_constants", "drop_no_ops", "simplify", "join_bounds", "merge_common",
                       "join_reshapes", "cancel_transposes", "tidy_slices", pass},
                      inputs, tolerance);
}

using Unary = Tensor (*)(const Tensor& x);

// y = f(x) for x of [batch, width] in `type`.
inline graph::Graph capture_rows(Unary f, int64_t width, DType type = DType::f32) {
  return graph::capture([&](const TensorList& x) { return TensorList{f(x[0])}; },
                        {{"x", type, {Dim::symbol("batch"), width}}}, {"y"});
}

}  // namespace tenon::passes
