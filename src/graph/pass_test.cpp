// The pass manager: bodies of control flow too.
#include "graph/pass.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "graph/capture.h"
#include "graph/interpreter.h"
#include "ops/control/catalog.h"
#include "ops/math/catalog.h"

namespace tenon::graph {

namespace {

const std::vector<InputSpec> kVector{{"a", DType::f32, {Dim::symbol("n")}}};

Attr body(const char* name, const Function& function, const std::vector<InputSpec>& inputs,
          const std::vector<std::string>& outputs) {
  return {name, std::shared_ptr<const Subgraph>(
                    std::make_shared<Graph>(capture(function, inputs, outputs)))};
}

// then: -relu(relu(a)), with Identity between; else: 3 * a.
Attrs branches() {
  const auto first = [](const TensorList& x) {
    return TensorList{op::Neg(op::Identity(op::Relu(op::Identity(op::Relu(x[0])))))};
  };
  const auto second = [](const TensorList& x) { return TensorList{op::Identity(x[0]) * 3.0}; };
  return {body("then_branch", first, kVector, {"y"}), body("else_branch", second, kVector, {"y"})};
}

Graph choice() {
  return capture(
      [](const TensorList& x) {
        return op::If.all({x[0], x[1]}, branches(), 1);
      },
      {{"cond", DType::boolean, {}}, {"x", DType::f32, {Dim::symbol("n")}}}, {"y"});
}

const Graph& body_of(const Graph& graph, std::string_view op, std::string_view attr) {
  const auto node =
      std::ranges::find_if(graph.nodes(), [&](const Node& one) { return one.op->name == op; });
  const AttrValue* value = node->attrs.find(attr);
  return dynamic_cast<const Graph&>(*std::get<std::shared_ptr<const Subgraph>>(*value));
}

int count(const Graph& graph, const OpDef& op) {
  return static_cast<int>(std::ranges::count(graph.nodes(), &op, &Node::op));
}

TEST(Passes, RunOnBodies) {
  const Graph before = choice();
  Graph after = before;
  const std::vector<PassResult> results =
      run_passes(after, {.only = {"drop_identity"}, .verify = true});
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].changes, 3);
  const Graph& then_branch = body_of(after, "If", "then_branch");
  EXPECT_EQ(count(then_branch, op::Identity), 0);
  EXPECT_EQ(count(then_branch, op::Relu), 2);
  EXPECT_EQ(then_branch.inputs.size(), 1U);
  EXPECT_EQ(then_branch.value(then_branch.outputs[0]).name, "y");
  EXPECT_EQ(count(body_of(before, "If", "then_branch"), op::Identity), 2) << "copies share bodies";

  Graph all = before;
  run_passes(all, {.verify = true});
  for (const bool yes : {true, false}) {
    const TensorList inputs{Tensor::full({}, yes ? 1 : 0, DType::boolean),
                            Tensor::from<float>({-1, 0, 2}, {3})};
    const auto expected = Interpreter(before).run(inputs)[0].to_vector<float>();
    EXPECT_EQ(Interpreter(after).run(inputs)[0].to_vector<float>(), expected);
    EXPECT_EQ(Interpreter(all).run(inputs)[0].to_vector<float>(), expected);
  }
}

TEST(Passes, RunOnBodiesInsideBodies) {
  const Attr inner_then = body(
      "then_branch",
      [](const TensorList& x) { return TensorList{op::Identity(op::Neg(op::Identity(x[0])))}; },
      kVector, {"y"});
  const Attr inner_else = body(
      "else_branch", [](const TensorList& x) { return TensorList{op::Abs(x[0])}; }, kVector, {"y"});
  // A loop that decides each time by its condition, over a carried value and a captured one.
  const Attr loop =
      body("body",
           [&](const TensorList& x) {
             const Tensor chosen = op::If.all({x[1], x[2]}, {inner_then, inner_else}, 1)[0];
             return TensorList{op::Identity(x[1]), op::Identity(chosen + x[3])};
           },
           {{"i", DType::i64, {}},
            {"keep", DType::boolean, {}},
            {"v", DType::f32, {Dim::symbol("n")}},
            {"captured", DType::f32, {Dim::symbol("n")}}},
           {"keep_out", "v_out"});
  const Graph before = capture(
      [&](const TensorList& x) {
        return op::Loop.all({x[0], x[1], x[2], x[2]}, {loop, {"captures", int64_t{1}}}, 1);
      },
      {{"trips", DType::i64, {}},
       {"cond", DType::boolean, {}},
       {"x", DType::f32, {Dim::symbol("n")}}},
      {"y"});
  Graph after = before;
  run_passes(after, {.verify = true});
  const Graph& outer = body_of(after, "Loop", "body");
  ASSERT_EQ(outer.inputs.size(), 4U);
  EXPECT_EQ(outer.value(outer.inputs[3]).name, "captured");
  EXPECT_EQ(count(body_of(outer, "If", "then_branch"), op::Identity), 0);
  const TensorList inputs{Tensor::full({}, 3, DType::i64), Tensor::full({}, 1, DType::boolean),
                          Tensor::from<float>({-1, 0.5, 2}, {3})};
  EXPECT_EQ(Interpreter(after).run(inputs)[0].to_vector<float>(),
            Interpreter(before).run(inputs)[0].to_vector<float>());
}

}  // namespace

}  // namespace tenon::graph
