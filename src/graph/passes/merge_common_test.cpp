// What is computed twice is computed once.
#include "graph/passes/pass_testing.h"
#include "ops/math/catalog.h"
#include "ops/random/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/random.h"

namespace tenon::graph {

namespace {

const char* const kPass = "merge_common";

TEST(MergeCommon, EqualChains) {
  const Graph g = of_one({2, 3}, [](const Tensor& x) {
    const auto chain = [&] { return op::Softplus(x * Tensor::full({1}, 2)); };
    return chain() - op::Exp(chain());
  });
  const Graph after = checked(g, kPass, {randn({2, 3})});
  EXPECT_EQ(after.nodes().size(), 4U) << after.str();
}

TEST(MergeCommon, NodesWithSeveralOutputs) {
  const Graph g = of_one({2, 6}, [](const Tensor& x) {
    const TensorList a = op::Split.all({x}, {{"axis", 1}, {"num_outputs", 2}}, 2);
    const TensorList b = op::Split.all({x}, {{"axis", 1}, {"num_outputs", 2}}, 2);
    return a[0] * b[1];
  });
  EXPECT_EQ(count(checked(g, kPass, {randn({2, 6})}), op::Split), 1);
}

TEST(MergeCommon, LeavesWhatDiffers) {
  const Graph g = of_one({2, 3}, [](const Tensor& x) {
    const Tensor sums = op::ReduceSum(x, Tensor::ints({0})) * op::ReduceSum(x, Tensor::ints({1}));
    const Tensor types = op::ReduceSum(x, Tensor::ints({0}), {{"keepdims", 0}});
    return sums + types;
  });
  EXPECT_EQ(count(checked(g, kPass, {randn({2, 3})}), op::ReduceSum), 3);
}

TEST(MergeCommon, LeavesRandomNumbers) {
  Graph g;
  const auto draw = [&] {
    return g.node(g.add_node(op::RandomNormal, {{"shape", {3}}}, {}, 1)).outputs[0];
  };
  const ValueId a = draw(), b = draw();
  g.outputs = {g.node(g.add_node(op::Add, {}, {a, b}, 1)).outputs[0]};
  EXPECT_EQ(count(with_passes(g, {kPass}), op::RandomNormal), 2);
}

TEST(MergeCommon, OutputsKeepTheirNames) {
  const Graph g = capture(
      [](const TensorList& x) {
        return TensorList{op::Exp(x[0]), op::Exp(x[0]), op::Exp(x[0])};
      },
      {{"x", DType::f32, {2}}}, {"a", "b", "c"});
  Graph after = checked(g, kPass, {randn({2})});
  EXPECT_EQ(count(after, op::Exp), 1);
  EXPECT_EQ(run_passes(after, {.only = {kPass}})[0].changes, 0);
}

TEST(MergeCommon, ConstantsOfEqualBytes) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {2});
  const auto add = [&](ValueId to, const Tensor& c, bool parameter) {
    const ValueId id = g.add_constant("c", c, parameter);
    return g.node(g.add_node(op::Add, {}, {to, id}, 1)).outputs[0];
  };
  ValueId y = x;
  for (int i = 0; i < 3; ++i) y = add(y, Tensor::ones({2}), false);
  y = add(y, Tensor::ones({1}), false);
  y = add(y, Tensor::ones({2}), true);
  g.outputs = {y};
  const Graph after = checked(g, kPass, {randn({2})});
  const auto constants =
      std::ranges::count_if(after.values(), [](const Value& value) { return value.is_constant(); });
  EXPECT_EQ(constants, 3);  // three of one kind, another shape, a parameter
}

}  // namespace

}  // namespace tenon::graph
