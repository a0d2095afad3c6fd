// Every pass over small graphs of every operator: compiled after it alone, and after all together,
// a graph computes what the interpreter computes without any.
//
// TENON_WIDE_TESTS=1 in the environment takes every type of every sample, and leaves each pass out
// of the pipeline in turn: half an hour.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>

#include "engine/session.h"
#include "graph/interpreter.h"
#include "graph/pass.h"
#include "graph/passes/catalog.h"
#include "ops/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"
#include "specimens.h"

namespace tenon::test {

namespace {

constexpr size_t kSurrounded = 2;  // samples of each operator

bool is_wide() { return std::getenv("TENON_WIDE_TESTS") != nullptr; }

const std::vector<Specimen>& specimens() {
  static const std::vector<Specimen> made = [] {
    std::vector<Specimen> all;
    for (const OpDef* op : op::all()) {
      std::vector<Specimen> own = is_wide() ? specimens_of(cases_of(*op), SIZE_MAX)
                                            : specimens_of(few_cases(*op), kSurrounded);
      std::ranges::move(own, std::back_inserter(all));
    }
    return all;
  }();
  return made;
}

TensorList interpreted(const graph::Graph& graph, const Specimen& specimen) {
  manual_seed(7);
  return graph::Interpreter(graph).run(specimen.inputs);
}

// Planned as it is; measured choices would make the test slow.
TensorList compiled(const graph::Graph& graph, const Specimen& specimen) {
  engine::SessionOptions options;
  options.optimize = false;
  options.tune = engine::Tune::off;
  const engine::Session session(graph, options);
  manual_seed(7);
  return session.run(specimen.inputs);
}

// Which of the steps is at fault.
std::string first_wrong_step(const Specimen& specimen, graph::PassOptions options) {
  std::string wrong;
  options.after = [&](const Pass& pass, const graph::Graph& graph) {
    if (!wrong.empty()) return;
    const std::string text = difference(interpreted(graph, specimen), specimen);
    if (!text.empty()) wrong = fmt::format("; interpreted after {}: {}", pass.name, text);
  };
  graph::Graph graph = specimen.graph;
  run_passes(graph, options);
  return wrong.empty() ? "; interpreted it is right" : wrong;
}

using Counts = std::map<std::string_view, int>;  // of specimens that a pass changed

// Runs the passes; "" or what went wrong.
std::string run_and_compare(const Specimen& specimen, const graph::PassOptions& given,
                            Counts& counts) {
  try {
    graph::PassOptions options = given;
    options.verify = true;
    bool changed = false;
    options.after = [&](const Pass& pass, const graph::Graph&) {
      ++counts[pass.name];
      changed = true;
    };
    graph::Graph graph = specimen.graph;
    run_passes(graph, options);
    if (!changed) return "";
    const std::string text = difference(compiled(graph, specimen), specimen);
    return text.empty() ? "" : text + first_wrong_step(specimen, options);
  } catch (const Error& error) {
    return error.what();
  }
}

class EachPass : public testing::TestWithParam<const Pass*> {};

TEST_P(EachPass, AloneKeepsResults) {
  const NoGrad no_grad;
  Counts counts;
  graph::PassOptions options;
  options.only = {std::string(GetParam()->name)};
  for (const Specimen& specimen : specimens())
    EXPECT_EQ(run_and_compare(specimen, options, counts), "") << specimen.name;
  RecordProperty("changed", counts[GetParam()->name]);
}

TEST_P(EachPass, LeftOutKeepsResults) {
  if (!is_wide()) GTEST_SKIP() << "it takes minutes; set TENON_WIDE_TESTS=1";
  const NoGrad no_grad;
  Counts counts;
  graph::PassOptions options;
  options.without = {std::string(GetParam()->name)};
  for (const Specimen& specimen : specimens())
    EXPECT_EQ(run_and_compare(specimen, options, counts), "") << specimen.name;
}

INSTANTIATE_TEST_SUITE_P(Pipeline, EachPass,
                         testing::ValuesIn(passes::all().begin(), passes::all().end()),
                         [](const auto& tested) { return std::string(tested.param->name); });

// What no pass changes is run compiled by graph_test.cpp.
TEST(AllPasses, KeepResultsTogether) {
  const NoGrad no_grad;
  Counts counts;
  for (const Specimen& specimen : specimens())
    EXPECT_EQ(run_and_compare(specimen, {}, counts), "") << specimen.name;
  for (const Pass* pass : passes::all())
    EXPECT_GT(counts[pass->name], 0) << "no specimen is for the pass " << pass->name
                                     << "; add a surrounding in tests/all_ops/specimens.cpp";
}

}  // namespace

}  // namespace tenon::test
