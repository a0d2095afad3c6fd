// For tests of passes that look for patterns: spellings of an operator, which must become it.
#pragma once

#include <string>
#include <vector>

#include "graph/passes/pass_testing.h"
#include "runtime/random.h"

namespace tenon::passes {

// The one node of that operator; fails the test where there is none or more than one.
inline const graph::Node& only_node(const graph::Graph& g, const OpDef& op) {
  EXPECT_EQ(graph::count(g, op), 1) << g.str();
  const auto found =
      std::ranges::find_if(g.nodes(), [&](const graph::Node& n) { return n.op == &op; });
  if (found == g.nodes().end()) throw Error(ErrorKind::bug, g.str());
  return *found;
}

// The graph after the passes named, with names and types of outputs as before, and results within
// `tolerance` of what they were on `inputs`.
inline graph::Graph after_passes(const graph::Graph& before, std::vector<std::string> only,
                                 const TensorList& inputs, double tolerance = 2e-6) {
  graph::Graph after = graph::with_passes(before, std::move(only));
  for (size_t i = 0; i < before.outputs.size(); ++i)
    EXPECT_EQ(after.value(after.outputs[i]).type.str(), before.value(before.outputs[i]).type.str());
  graph::expect_same(before, after, inputs, tolerance);
  return after;
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
