// Graphs inside ONNX graphs: what they capture, what is taken of them, what is refused.
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include "autograd/autograd.h"
#include "formats/onnx/export.h"
#include "formats/onnx/import.h"
#include "graph/interpreter.h"

namespace tenon::formats {

namespace {

using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

void input(GraphProto& graph, const std::string& name, int type, int64_t rank) {
  auto& value = *graph.add_input();
  value.set_name(name);
  auto& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  tensor.mutable_shape();
  for (int64_t i = 0; i < rank; ++i) tensor.mutable_shape()->add_dim();
}

NodeProto& node(GraphProto& graph, const std::string& type, const std::vector<std::string>& inputs,
                const std::vector<std::string>& outputs) {
  auto& made = *graph.add_node();
  made.set_op_type(type);
  for (const auto& name : inputs) made.add_input(name);
  for (const auto& name : outputs) made.add_output(name);
  return made;
}

GraphProto& body(NodeProto& node, const std::string& name) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::GRAPH);
  attribute.mutable_g()->set_name(name);
  return *attribute.mutable_g();
}

void output(GraphProto& graph, const std::string& name) { graph.add_output()->set_name(name); }

::onnx::ModelProto model() {
  ::onnx::ModelProto made;
  made.set_ir_version(8);
  auto& opset = *made.add_opset_import();
  opset.set_domain("");
  opset.set_version(16);
  made.mutable_graph()->set_name("test");
  return made;
}

graph::Graph imported(const ::onnx::ModelProto& proto) {
  const std::string bytes = proto.SerializeAsString();
  return import_onnx(std::as_bytes(std::span(bytes)), "test.onnx");
}

graph::Graph exported_and_back(const graph::Graph& graph) {
  const std::string bytes = export_onnx_bytes(graph);
  return import_onnx(std::as_bytes(std::span(bytes)), "again.onnx");
}

// y = x * 2 * 2 * ..., M times: a loop whose body holds an If that captures from both graphs
// around.
::onnx::ModelProto nested() {
  ::onnx::ModelProto proto = model();
  GraphProto& graph = *proto.mutable_graph();
  input(graph, "m", TensorProto::INT64, 0);
  input(graph, "x", TensorProto::FLOAT, 1);
  node(graph, "Add", {"x", "x"}, {"twice"});
  NodeProto& loop = node(graph, "Loop", {"m", "", "x"}, {"y", "rows"});
  GraphProto& step = body(loop, "body");
  input(step, "i", TensorProto::INT64, 0);
  input(step, "cond", TensorProto::BOOL, 0);
  input(step, "state", TensorProto::FLOAT, 1);
  auto& one = *step.add_initializer();
  one.set_name("one");
  one.set_data_type(TensorProto::INT64);
  one.add_int64_data(1);
  node(step, "Less", {"i", "one"}, {"is_first"});
  NodeProto& choice = node(step, "If", {"is_first"}, {"next"});
  GraphProto& first = body(choice, "then_branch");
  node(first, "Add", {"state", "twice"}, {"sum"});
  output(first, "sum");
  GraphProto& later = body(choice, "else_branch");
  node(later, "Mul", {"state", "x"}, {"product"});
  output(later, "product");
  for (const char* name : {"cond", "next", "state"}) output(step, name);
  output(graph, "y");
  output(graph, "rows");
  return proto;
}

void expect_nested_results(const graph::Graph& graph) {
  const Tensor x = Tensor::from<float>({1, 2}, {2});
  const TensorList results = graph::Interpreter(graph).run({Tensor::from<int64_t>({3}, {}), x});
  // 3x, then 3x * x, then 3x * x * x
  EXPECT_EQ(results[0].to_vector<double>(), (std::vector<double>{3, 24}));
  EXPECT_EQ(results[1].shape(), Shape({3, 2}));
  EXPECT_EQ(results[1].to_vector<double>(), (std::vector<double>{1, 2, 3, 6, 3, 12}));
}

TEST(ControlFlow, CapturesFromAllGraphsAround) {
  const graph::Graph graph = imported(nested());
  graph.verify();
  expect_nested_results(graph);
}

TEST(ControlFlow, ComesBackFromAFile) {
  expect_nested_results(exported_and_back(imported(nested())));
}

TEST(ControlFlow, RunsZeroTimes) {
  const TensorList results = graph::Interpreter(imported(nested()))
                                 .run({Tensor::from<int64_t>({0}, {}), Tensor::ones({2})});
  EXPECT_EQ(results[0].to_vector<double>(), (std::vector<double>{1, 1}));
  EXPECT_EQ(results[1].dtype(), DType::f32);
  EXPECT_EQ(results[1].shape(), Shape({0, 2}));
}

TEST(ControlFlow, IsDifferentiatedAsItRan) {
  const graph::Graph graph = imported(nested());
  Tensor x = Tensor::from<float>({1, 2}, {2});
  x.requires_grad_();
  const TensorList results = graph::Interpreter(graph).run({Tensor::from<int64_t>({3}, {}), x});
  results[0].sum().backward();  // 3x^3
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{9, 36}));
}

TEST(ControlFlow, AnIfOnAConstantIsItsBranch) {
  ::onnx::ModelProto proto = model();
  GraphProto& graph = *proto.mutable_graph();
  input(graph, "x", TensorProto::FLOAT, 1);
  auto& yes = *graph.add_initializer();
  yes.set_name("yes");
  yes.set_data_type(TensorProto::BOOL);
  yes.add_int32_data(1);
  NodeProto& choice = node(graph, "If", {"yes"}, {"y"});
  GraphProto& taken = body(choice, "then_branch");
  node(taken, "Neg", {"x"}, {"minus"});
  output(taken, "minus");
  GraphProto& other = body(choice, "else_branch");
  node(other, "Abs", {"x"}, {"size"});
  output(other, "size");
  output(graph, "y");
  const graph::Graph graph_of_one = imported(proto);
  ASSERT_EQ(graph_of_one.nodes().size(), 1U);
  EXPECT_EQ(graph_of_one.nodes()[0].op->name, "Neg");
}

std::string refusal(const ::onnx::ModelProto& proto) {
  try {
    imported(proto);
  } catch (const Error& error) {
    EXPECT_NE(error.kind(), ErrorKind::bug) << error.what();
    return error.what();
  }
  return "";
}

TEST(ControlFlow, RefusesWhatDoesNotFit) {
  ::onnx::ModelProto unknown = nested();
  auto& loop = *unknown.mutable_graph()->mutable_node(1);
  loop.mutable_attribute(0)->mutable_g()->mutable_node(0)->set_input(0, "nowhere");
  EXPECT_NE(refusal(unknown).find("reads 'nowhere', which nothing makes"), std::string::npos)
      << refusal(unknown);

  ::onnx::ModelProto short_body = nested();
  short_body.mutable_graph()
      ->mutable_node(1)
      ->mutable_attribute(0)
      ->mutable_g()
      ->mutable_output()
      ->DeleteSubrange(1, 2);
  EXPECT_NE(refusal(short_body).find("it needs a condition and 1 loop-carried values"),
            std::string::npos)
      << refusal(short_body);

  ::onnx::ModelProto no_operator = nested();
  no_operator.mutable_graph()
      ->mutable_node(1)
      ->mutable_attribute(0)
      ->mutable_g()
      ->mutable_node(0)
      ->set_op_type("Lesser");
  EXPECT_NE(refusal(no_operator).find("body of node 1 (Loop)"), std::string::npos)
      << refusal(no_operator);
}

}  // namespace

}  // namespace tenon::formats
