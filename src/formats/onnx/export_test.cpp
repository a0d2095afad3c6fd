// Export: what is written, and that it comes back as it was.
#include "formats/onnx/export.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include "base/file.h"
#include "formats/onnx/import.h"
#include "graph/capture.h"
#include "graph/interpreter.h"
#include "ops/catalog.h"

namespace tenon::formats {

namespace {

graph::Graph classifier() {
  const Tensor w = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {3, 2});
  const Tensor b = Tensor::from<float>({0.5F, -0.5F}, {2});
  return graph::capture(
      [&](const TensorList& x) {
        const Tensor h = op::Relu(op::MatMul(x[0], w) + b);
        return TensorList{op::Softmax(h, {{"axis", -1}}),
                          op::ReduceMean(h, Tensor::ints({1}), {{"keepdims", 0}})};
      },
      {{"features", DType::f32, {Dim::symbol("batch"), 3}}}, {"scores", "mean"},
      {{"layer.weight", w}, {"layer.bias", b}});
}

graph::Graph again(const graph::Graph& graph, const ExportOptions& options = {}) {
  const std::string bytes = export_onnx_bytes(graph, options);
  return import_onnx(std::as_bytes(std::span(bytes)), "again.onnx");
}

::onnx::ModelProto parsed(const graph::Graph& graph, const ExportOptions& options = {}) {
  ::onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(export_onnx_bytes(graph, options)));
  return model;
}

TEST(OnnxExport, ComesBackAsItWas) {
  const graph::Graph graph = classifier();
  const Tensor x = Tensor::from<float>({1, -1, 0, 0, 2, 1}, {2, 3});
  const TensorList expected = graph::Interpreter(graph).run({x});
  for (int opset = kMinExportOpset; opset <= kMaxExportOpset; ++opset) {
    const graph::Graph back = again(graph, {.opset = opset});
    back.verify();
    EXPECT_EQ(back.value(back.inputs[0]).name, "features");
    EXPECT_EQ(str(back.value(back.inputs[0]).type.dims), "[batch, 3]");
    EXPECT_EQ(str(back.value(back.outputs[0]).type.dims), "[batch, 2]");
    EXPECT_EQ(back.value(back.outputs[0]).name, "scores");
    EXPECT_EQ(back.value(back.outputs[1]).name, "mean");
    EXPECT_NE(back.find_value("layer.weight"), graph::kNoValue);
    const TensorList outputs = graph::Interpreter(back).run({x});
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(outputs[i].to_vector<double>(), expected[i].to_vector<double>())
          << "opset " << opset;
  }
}

TEST(OnnxExport, WritesWhatReadersExpect) {
  const ::onnx::ModelProto model = parsed(classifier(), {.doc = "A test."});
  EXPECT_EQ(model.ir_version(), 8);
  EXPECT_EQ(model.opset_import(0).version(), 17);
  EXPECT_EQ(model.producer_name(), "tenon");
  EXPECT_EQ(model.doc_string(), "A test.");
  EXPECT_EQ(model.graph().input(0).type().tensor_type().shape().dim(0).dim_param(), "batch");
  EXPECT_EQ(model.graph().input(0).type().tensor_type().shape().dim(1).dim_value(), 3);
  for (const auto& initializer : model.graph().initializer())
    EXPECT_TRUE(initializer.has_raw_data());
  // Below opset 18 the axes of ReduceMean are an attribute, and no constant is left of them.
  for (const auto& node : model.graph().node())
    EXPECT_EQ(node.input_size(), node.op_type() == "ReduceMean" || node.op_type() == "Relu" ||
                                         node.op_type() == "Softmax"
                                     ? 1
                                     : 2);
  for (const auto& initializer : model.graph().initializer())
    EXPECT_NE(initializer.data_type(), ::onnx::TensorProto::INT64);
}

TEST(OnnxExport, GivesEqualBytesForEqualGraphs) {
  EXPECT_EQ(export_onnx_bytes(classifier()), export_onnx_bytes(classifier()));
  const graph::Graph back = again(classifier());
  EXPECT_EQ(export_onnx_bytes(again(back)), export_onnx_bytes(again(again(back))));
}

// What passes make of one node has its name; other runtimes want names that differ.
TEST(OnnxExport, NamesNodesApart) {
  graph::Graph graph;
  graph.inputs.push_back(graph.add_input("x", DType::f32, {3}));
  const graph::ValueId scale = graph.add_constant("scale", Tensor::scalar(0.5)),
                       zero = graph.add_constant("zero", Tensor::scalar(3, DType::u8));
  const auto add = [&](const OpDef& op, std::vector<graph::ValueId> inputs) {
    return graph.node(graph.add_node(op, {}, std::move(inputs), 1, "layer")).outputs[0];
  };
  const graph::ValueId bytes = add(op::QuantizeLinear, {graph.inputs[0], scale, zero});
  const graph::ValueId again = add(op::DequantizeLinear, {bytes, scale, zero});
  graph.outputs.push_back(add(op::Abs, {add(op::Relu, {again})}));
  std::vector<std::string> names;
  const auto model = parsed(graph);
  for (const auto& node : model.graph().node()) names.push_back(node.name());
  EXPECT_EQ(names, (std::vector<std::string>{"layer_QuantizeLinear", "layer_DequantizeLinear",
                                             "layer", "layer_Abs"}));
}

TEST(OnnxExport, WritesPolynomialAxes) {
  const Dim n = Dim::symbol("n");
  const graph::Graph graph = graph::capture(
      [](const TensorList& x) {
        return TensorList{op::Concat.all({x[0], x[0], x[0]}, {{"axis", 0}})[0]};
      },
      {{"x", DType::f32, {n * 2 + 1, 4}}}, {"y"});
  EXPECT_EQ(parsed(graph).graph().output(0).type().tensor_type().shape().dim(0).dim_param(),
            "6*n+3");
  const graph::Graph back = again(graph);
  EXPECT_TRUE(back.value(back.outputs[0]).type.dims[0] == n * 6 + 3);
}

TEST(OnnxExport, NamesOutputsThatAreInputsOrConstantsOrTwins) {
  const auto recorder = graph::Recorder::create("odd");
  const Tensor x = recorder->input("x", DType::f32, {2});
  const Tensor y = op::Neg(x);
  const graph::Graph graph = recorder->finish({x, y, y, Tensor::from<float>({3}, {1})}, {});
  const graph::Graph back = again(graph);
  const TensorList outputs = graph::Interpreter(back).run({Tensor::from<float>({1, 2}, {2})});
  ASSERT_EQ(outputs.size(), 4U);
  EXPECT_EQ(back.value(back.inputs[0]).name, "x");
  EXPECT_EQ(outputs[0].to_vector<double>(), (std::vector<double>{1, 2}));
  EXPECT_EQ(outputs[1].to_vector<double>(), (std::vector<double>{-1, -2}));
  EXPECT_EQ(outputs[2].to_vector<double>(), (std::vector<double>{-1, -2}));
  EXPECT_EQ(outputs[3].to_vector<double>(), std::vector<double>{3});
}

TEST(OnnxExport, WritesOutWhatTheOpsetDoesNotHave) {
  // Gelu is an operator from opset 20 on, and a few simpler ones before.
  const graph::Graph graph =
      graph::capture([](const TensorList& x) { return TensorList{op::Gelu(x[0])}; },
                     {{"x", DType::f32, {4}}}, {"y"});
  const auto has_gelu = [](const ::onnx::ModelProto& model) {
    for (const auto& node : model.graph().node())
      if (node.op_type() == "Gelu") return true;
    return false;
  };
  EXPECT_TRUE(has_gelu(parsed(graph, {.opset = 20})));
  EXPECT_FALSE(has_gelu(parsed(graph, {.opset = 17})));
  const Tensor x = Tensor::from<float>({-2, -0.5F, 0, 1}, {4});
  const auto wanted = graph::Interpreter(graph).run({x})[0].to_vector<double>();
  const auto got = graph::Interpreter(again(graph)).run({x})[0].to_vector<double>();
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-6);
}

TEST(OnnxExport, KeepsLargeConstantsBesideTheModel) {
  const TempDirectory folder;
  const Tensor w = Tensor::arange(3000, DType::f32);
  const graph::Graph graph = graph::capture(
      [&](const TensorList& x) { return TensorList{x[0] + w}; }, {{"x", DType::f32, {1}}}, {"y"});
  export_onnx(graph, folder / "m.onnx", {.max_inline_bytes = 1000});
  EXPECT_LT(file_size(folder / "m.onnx"), 1000U);
  EXPECT_EQ(file_size(folder / "m.onnx.data"), 12000U);
  const graph::Graph back = import_onnx(folder / "m.onnx");
  EXPECT_EQ(
      graph::Interpreter(back).run({Tensor::from<float>({1}, {1})})[0].to_vector<double>()[2999],
      3000);
  EXPECT_THROW(export_onnx_bytes(graph, {.max_inline_bytes = 1000}), Error);
}

TEST(OnnxExport, RefusesAndLeavesNoFile) {
  const TempDirectory folder;
  try {
    export_onnx(classifier(), folder / "m.onnx", {.opset = 12});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(error.message().find("use 13 to 22"), std::string::npos) << error.what();
  }
  EXPECT_FALSE(exists(folder / "m.onnx"));
}

}  // namespace
}  // namespace tenon::formats
