// Constants are computed once: what is folded, and what is left.
#include "graph/passes/pass_testing.h"
#include "ops/math/catalog.h"
#include "ops/quant/catalog.h"
#include "ops/random/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/random.h"

namespace tenon::graph {

namespace {

const char* const kPass = "fold_constants";

TEST(FoldConstants, ComputesChainsOfConstants) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {Dim::symbol("n"), 3});
  const ValueId a = g.add_constant("a", randn({3, 3})), b = g.add_constant("b", randn({3}));
  const ValueId product = g.node(g.add_node(op::Mul, {}, {a, b}, 1)).outputs[0];
  const ValueId turned =
      g.node(g.add_node(op::Transpose, {{"perm", {1, 0}}}, {product}, 1)).outputs[0];
  g.outputs = {g.node(g.add_node(op::MatMul, {}, {x, turned}, 1)).outputs[0]};
  const Graph after = checked(g, kPass, {randn({2, 3})}, 1e-6);
  ASSERT_EQ(after.nodes().size(), 1U);
  EXPECT_TRUE(after.value(after.nodes()[0].inputs[1]).type.constant.is_contiguous());
}

TEST(FoldConstants, LeavesWhatTrainsAndWhatIsRandom) {
  Graph g;
  const ValueId w = g.add_constant("w", randn({3}), /*parameter=*/true);
  const ValueId doubled = g.node(g.add_node(op::Add, {}, {w, w}, 1)).outputs[0];
  const ValueId noise = g.node(g.add_node(op::RandomNormal, {{"shape", {3}}}, {}, 1)).outputs[0];
  g.outputs = {g.node(g.add_node(op::Add, {}, {doubled, noise}, 1)).outputs[0]};
  EXPECT_EQ(with_passes(g, {kPass}).nodes().size(), 3U);
}

TEST(FoldConstants, LeavesWeightsQuantised) {
  Graph g;
  const ValueId q = g.add_constant("q", Tensor::from<int8_t>({1, -2, 3}, {3}));
  const ValueId scale = g.add_constant("scale", Tensor::scalar(0.5));
  g.outputs = {g.node(g.add_node(op::DequantizeLinear, {}, {q, scale}, 1)).outputs[0]};
  EXPECT_EQ(count(with_passes(g, {kPass}), op::DequantizeLinear), 1);
}

TEST(FoldConstants, LeavesWhatGrows) {
  Graph g;
  const ValueId one = g.add_constant("one", Tensor::ones({1}));
  const ValueId small = g.add_constant("small", Tensor::ints({4, 4}));
  const ValueId large = g.add_constant("large", Tensor::ints({1024, 1024}));
  g.outputs = {g.node(g.add_node(op::Expand, {}, {one, small}, 1)).outputs[0],
               g.node(g.add_node(op::Expand, {}, {one, large}, 1)).outputs[0]};
  const Graph after = checked(g, kPass, {});
  EXPECT_EQ(count(after, op::Expand), 1);
}

TEST(FoldConstants, KnowsSizesOfShapes) {
  const Dim n = Dim::symbol("n");
  const Graph fixed = of_one({2, 3}, [](const Tensor& x) { return op::Reshape(x, op::Shape(x)); });
  EXPECT_EQ(count(checked(fixed, kPass, {randn({2, 3})}), op::Shape), 0);

  // Size 1 of [n, 6] is 6 whatever n is.
  const Graph partly = of_one({n, 6}, [](const Tensor& x) {
    const Tensor width = op::Gather(op::Shape(x), Tensor::ints({1}));
    return op::Reshape(x, op::Concat.all({Tensor::ints({-1}), Tensor::ints({2}),
                                          op::Div(width, Tensor::ints({2}))},
                                         {{"axis", 0}})[0]);
  });
  const Graph after = checked(partly, kPass, {randn({4, 6})});
  EXPECT_EQ(after.nodes().size(), 1U) << after.str();
  EXPECT_EQ(after.value(after.outputs[0]).type.str(), "f32[n, 2, 3]");

  const Graph symbolic = of_one({n, 6}, [](const Tensor& x) { return op::Shape(x); });
  EXPECT_EQ(count(checked(symbolic, kPass, {randn({4, 6})}), op::Shape), 1);
}

TEST(FoldConstants, TellsLaterNodesWhatItFound) {
  // Inference does not follow floats: that the result is [2, 12] shows only once they are computed.
  const Graph g = of_one({2, 6}, [](const Tensor& x) {
    const Tensor sizes = op::Cast(op::Shape(x), {{"to", static_cast<int64_t>(DType::f32)}});
    const Tensor scaled = op::Mul(sizes, Tensor::from<float>({1, 2}, {2}));
    const Tensor target = op::Cast(scaled, {{"to", static_cast<int64_t>(DType::i64)}});
    return op::Relu(op::Reshape(op::Concat.all({x, x}, {{"axis", 1}})[0], target));
  });
  const Graph after = checked(g, kPass, {randn({2, 6})});
  EXPECT_EQ(after.nodes().size(), 3U) << after.str();
  EXPECT_EQ(after.value(after.outputs[0]).type.str(), "f32[2, 12]");
}

TEST(FoldConstants, KeepsOutputsThatAreConstant) {
  Graph g;
  const ValueId a = g.add_constant("a", Tensor::ones({2}));
  const ValueId sum = g.node(g.add_node(op::Add, {}, {a, a}, 1)).outputs[0];
  g.outputs = {sum};
  g.rename(sum, "result");
  Graph after = checked(g, kPass, {});
  EXPECT_EQ(count(after, op::Add), 0);
  EXPECT_EQ(run_passes(after, {.only = {kPass}})[0].changes, 0);
}

TEST(FoldConstants, LeavesWhatFails) {
  Graph g;
  const ValueId data = g.add_constant("data", Tensor::ones({2}));
  const ValueId place = g.add_constant("place", Tensor::ints({5}));
  g.outputs = {g.node(g.add_node(op::Gather, {}, {data, place}, 1)).outputs[0]};
  EXPECT_EQ(count(with_passes(g, {kPass}), op::Gather), 1);
}

}  // namespace

}  // namespace tenon::graph
