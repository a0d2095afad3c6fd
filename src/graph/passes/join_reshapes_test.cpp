// Chains of reshapes, with sizes that are known, symbolic and computed.
#include "graph/passes/pass_testing.h"
#include "ops/math/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/random.h"

namespace tenon::graph {

namespace {

const char* const kPass = "join_reshapes";

Graph joined(const Dims& dims, const Tensor& x, const std::function<Tensor(const Tensor&)>& f) {
  return checked(of_one(dims, [&](const Tensor& t) { return op::Neg(f(op::Exp(t))); }), kPass, {x});
}

TEST(JoinReshapes, ThereAndBack) {
  const Dim n = Dim::symbol("n");
  const Graph g = joined({n, 4, 3}, randn({2, 4, 3}), [](const Tensor& x) {
    return op::Reshape(op::Flatten(x), Tensor::ints({0, 4, 3}));
  });
  EXPECT_EQ(g.nodes().size(), 2U) << g.str();
  // An empty batch too.
  joined({n, 4, 3}, randn({0, 4, 3}), [](const Tensor& x) {
    return op::Reshape(op::Flatten(x), Tensor::ints({-1, 4, 3}));
  });
}

TEST(JoinReshapes, MixedChain) {
  const Dim n = Dim::symbol("n");
  const auto chain = [](const Tensor& x) {
    const Tensor a = op::Unsqueeze(x, Tensor::ints({1}));
    const Tensor b = op::Reshape(a, Tensor::ints({-1, 2, 6}));
    return op::Squeeze(op::Unsqueeze(op::Flatten(b), Tensor::ints({0})), Tensor::ints({0}));
  };
  const Graph g = joined({n, 4, 3}, randn({2, 4, 3}), chain);
  ASSERT_EQ(g.nodes().size(), 3U) << g.str();
  EXPECT_EQ(count(g, op::Reshape), 1);
  EXPECT_EQ(g.value(g.outputs[0]).type.str(), "f32[n, 12]");
}

TEST(JoinReshapes, WhatOthersReadStays) {
  const Graph g = capture(
      [](const TensorList& x) {
        const Tensor flat = op::Flatten(x[0]);
        return TensorList{op::Exp(flat), op::Reshape(flat, Tensor::ints({0, 3, 4}))};
      },
      {{"x", DType::f32, {Dim::symbol("n"), 4, 3}}});
  const Graph after = checked(g, kPass, {randn({2, 4, 3})});
  EXPECT_EQ(count(after, op::Flatten), 1);
  EXPECT_EQ(after.node(after.value(after.outputs[1]).producer).inputs[0], after.inputs[0]);
}

TEST(JoinReshapes, SizesThatFollowFromTheInput) {
  const Dim batch = Dim::symbol("batch"), length = Dim::symbol("length");
  // As attention is exported: [batch, length, 6] to [batch, length, 2, 3] by computed sizes.
  const Graph g = joined({batch, length, 6}, randn({2, 5, 6}), [](const Tensor& x) {
    const Tensor two = op::Slice(op::Shape(x), Tensor::ints({0}), Tensor::ints({2}));
    return op::Reshape(x, op::Concat.all({two, Tensor::ints({2, 3})}, {{"axis", 0}})[0]);
  });
  EXPECT_EQ(g.nodes().size(), 3U) << g.str();
}

TEST(JoinReshapes, LeavesSizesThatDoNot) {
  // Two symbols change places: neither a copy nor a number.
  const Dim n = Dim::symbol("n"), m = Dim::symbol("m");
  const Graph g = joined({n, m}, randn({2, 5}), [](const Tensor& x) {
    const Tensor turned = op::Gather(op::Shape(x), Tensor::ints({1, 0}));
    return op::Reshape(op::Unsqueeze(x, Tensor::ints({0})), turned);
  });
  EXPECT_EQ(count(g, op::Unsqueeze), 1);
  EXPECT_EQ(count(g, op::Reshape), 1);
}

TEST(JoinReshapes, LeavesEmptyAxes) {
  const Graph g = joined({2, 0}, Tensor::zeros({2, 0}), [](const Tensor& x) {
    return op::Reshape(op::Unsqueeze(x, Tensor::ints({0})), Tensor::ints({0, 5}),
                       {{"allowzero", 1}});
  });
  EXPECT_EQ(count(g, op::Reshape), 1);
}

TEST(JoinReshapes, OneAloneStays) {
  const Graph g = joined({2, 6}, randn({2, 6}), [](const Tensor& x) { return op::Flatten(x); });
  EXPECT_EQ(count(g, op::Flatten), 0);  // of two axes it changes nothing
  const Graph kept =
      joined({2, 3, 2}, randn({2, 3, 2}), [](const Tensor& x) { return op::Flatten(x); });
  EXPECT_EQ(count(kept, op::Flatten), 1);
}

}  // namespace

}  // namespace tenon::graph
