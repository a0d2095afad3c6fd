// Import: values, order, names, old opsets, and files that are wrong.
#include "formats/onnx/import.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <functional>

#include "base/file.h"
#include "base/log.h"
#include "formats/onnx/testing.h"
#include "graph/interpreter.h"

namespace tenon::formats::test {

namespace {

TEST(OnnxImport, KeepsNamesShapesAndOrigins) {
  Model model;
  model.input("image data", {"batch", "3", ""}).output("sum:0");
  model.constant("w", TensorProto::FLOAT, {3, 1}).add_float_data(1);
  for (float v : {2.F, 3.F}) model.proto.mutable_graph()->mutable_initializer(0)->add_float_data(v);
  model.node("Mul", {"image data", "w"}, {"scaled"}, "scale");
  model.node("Relu", {"scaled"}, {"sum:0"});
  const graph::Graph graph = model.import();
  graph.verify();
  EXPECT_EQ(graph.name, "test");
  EXPECT_EQ(graph.value(graph.inputs[0]).name, "image data");
  EXPECT_EQ(str(graph.value(graph.inputs[0]).type.dims), "[batch, 3, 'image data.2']");
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "sum:0");
  EXPECT_NE(graph.find_value("scaled"), graph::kNoValue);
  EXPECT_NE(graph.find_value("w"), graph::kNoValue);
  EXPECT_EQ(graph.node(0).origin, "node scale of test.onnx");
  EXPECT_EQ(graph.node(1).origin, "node 1 (Relu) of test.onnx");
  EXPECT_EQ(run(graph, {Tensor::from<float>({1, -1, 1}, {1, 3, 1})}),
            (std::vector<double>{1, 0, 3}));
}

TEST(OnnxImport, SortsNodesAndLeavesOutWhatNobodyReads) {
  Model model;
  model.input("x", {"2"}).output("y");
  model.node("Neg", {"b"}, {"y"});
  model.node("Abs", {"x"}, {"unused"});
  model.node("Neg", {"a"}, {"b"});
  model.node("Neg", {"x"}, {"a"});
  const graph::Graph graph = model.import();
  EXPECT_EQ(graph.nodes().size(), 3U);
  EXPECT_EQ(run(graph, {Tensor::from<float>({1, 2}, {2})}), (std::vector<double>{-1, -2}));
}

TEST(OnnxImport, DoesSmallSumsOnConstantsAndNoLargeOnes) {
  Model model;
  model.input("x", {"2", "3"}).output("y");
  auto& shape = model.constant("six", TensorProto::INT64, {1});
  shape.add_int64_data(6);
  auto& one = model.constant("one", TensorProto::INT64, {1});
  one.add_int64_data(1);
  model.node("Concat", {"one", "six"}, {"target"}).add_attribute()->set_name("axis");
  auto& axis = *model.proto.mutable_graph()->mutable_node(0)->mutable_attribute(0);
  axis.set_type(AttributeProto::INT);
  axis.set_i(0);
  model.node("Reshape", {"x", "target"}, {"y"});
  const graph::Graph small = model.import();
  EXPECT_EQ(small.nodes().size(), 1U);
  EXPECT_EQ(str(small.value(small.outputs[0]).type.dims), "[1, 6]");

  Model large;
  large.output("y");
  auto& size = large.constant("n", TensorProto::INT64, {2});
  size.add_int64_data(1'000'000);
  size.add_int64_data(1'000'000);
  large.node("ConstantOfShape", {"n"}, {"y"});
  EXPECT_EQ(large.import().nodes().size(), 1U);
}

TEST(OnnxImport, TakesInitialisersThatAreInputsAsConstants) {
  Model model(7);
  model.proto.set_ir_version(3);
  model.input("x", {"1"}).input("w", {"1"}).output("y");
  model.constant("w", TensorProto::FLOAT, {1}).add_float_data(4);
  model.node("Add", {"x", "w"}, {"y"});
  const graph::Graph graph = model.import();
  ASSERT_EQ(graph.inputs.size(), 1U);
  EXPECT_EQ(run(graph, {Tensor::from<float>({1}, {1})}), std::vector<double>{5});
}

TEST(OnnxImport, UpgradesOldForms) {
  Model model(5);
  model.input("x", {"2", "3"}).input("b", {"2"}).output("y");
  auto& add = model.node("Add", {"x", "b"}, {"y"});
  for (const auto& [name, value] : {std::pair("broadcast", 1), std::pair("axis", 0)}) {
    auto& attribute = *add.add_attribute();
    attribute.set_name(name);
    attribute.set_i(value);  // no type: as files of IR version 1 have it
  }
  const Tensor x = Tensor::from<float>({0, 0, 0, 0, 0, 0}, {2, 3});
  EXPECT_EQ(run(model.import(), {x, Tensor::from<float>({1, 2}, {2})}),
            (std::vector<double>{1, 1, 1, 2, 2, 2}));
}

TEST(OnnxImport, MakesParametersOnRequest) {
  Model model;
  model.input("x", {"n", "2"}).output("y");
  model.constant("w", TensorProto::FLOAT, {2}).add_float_data(1);
  model.proto.mutable_graph()->mutable_initializer(0)->add_float_data(2);
  auto& shape = model.constant("shape", TensorProto::INT64, {1});
  shape.add_int64_data(-1);
  model.node("Mul", {"x", "w"}, {"p"});
  model.node("Reshape", {"p", "shape"}, {"y"});
  const graph::Graph graph = model.import({.trainable = true});
  EXPECT_TRUE(graph.value(graph.find_value("w")).parameter);
  EXPECT_FALSE(graph.value(graph.find_value("shape")).parameter);
  EXPECT_FALSE(model.import().value(model.import().find_value("w")).parameter);
}

TEST(OnnxImport, FixesSizesOnRequest) {
  Model model;
  model.input("x", {"batch", "2*batch"}).output("y");
  model.node("Abs", {"x"}, {"y"});
  const graph::Graph graph = model.import({.sizes = {{"batch", 3}}});
  EXPECT_EQ(str(graph.value(graph.outputs[0]).type.dims), "[3, 6]");
}

// Each is what files of that version look like; what they have and Tenon has no use for is passed
// over.
TEST(OnnxImport, TakesEveryIrVersion) {
  for (int version = 3; version <= 13; ++version) {
    Model model(version < 8 ? 7 : 17);
    model.proto.set_ir_version(version);
    model.input("x", {"2"}).output("y");
    if (version < 4) model.input("w", {"2"});
    auto& constant = model.constant("w", TensorProto::FLOAT, {2});
    constant.add_float_data(1);
    constant.add_float_data(2);
    model.node("Add", {"x", "w"}, {"y"});
    auto& annotation = *model.proto.mutable_graph()->add_quantization_annotation();
    annotation.set_tensor_name("w");
    auto& entry = *annotation.add_quant_parameter_tensor_names();
    entry.set_key("SCALE_TENSOR");
    entry.set_value("nowhere");
    model.proto.add_training_info()->mutable_algorithm()->set_name("ignored");
    EXPECT_EQ(run(model.import(), {Tensor::from<float>({1, 1}, {2})}), (std::vector<double>{2, 3}))
        << version;
  }
}

TEST(OnnxImport, RefusesBrokenGraphs) {
  const auto broken = [](ErrorKind kind, std::string_view words,
                         const std::function<void(Model&)>& change) {
    Model model;
    model.input("x", {"2"}).output("y");
    model.node("Neg", {"x"}, {"y"}, "n");
    change(model);
    model.expect_error(kind, words);
  };
  const auto constant = [](Model& m, std::vector<int64_t> dims) -> TensorProto& {
    return m.constant("c", TensorProto::FLOAT, dims);
  };
  const ErrorKind data = ErrorKind::data, unsupported = ErrorKind::unsupported;
  broken(data, "reads 'z', which nothing makes", [](Model& m) { m.node("Abs", {"z"}, {"t"}); });
  broken(data, "did you mean 'features'",
         [](Model& m) { m.input("features", {}).node("Abs", {"faetures"}, {"t"}); });
  broken(data, "no cycles", [](Model& m) { m.node("Abs", {"t"}, {"t"}); });
  broken(data, "no cycles",
         [](Model& m) { m.node("Abs", {"t"}, {"u"}), m.node("Abs", {"u"}, {"t"}); });
  broken(data, "both make 'y'", [](Model& m) { m.node("Abs", {"x"}, {"y"}); });
  broken(data, "which is an input or an initialiser already",
         [](Model& m) { m.node("Abs", {"y"}, {"x"}); });
  broken(data, "the list of outputs of test.onnx reads 'w'", [](Model& m) { m.output("w"); });
  broken(data, "two outputs are named 'y'", [](Model& m) { m.output("y"); });
  broken(data, "the graph has no outputs",
         [](Model& m) { m.proto.mutable_graph()->clear_output(); });
  broken(data, "the name is taken", [](Model& m) { m.input("x", {}); });
  broken(data, "opset_import", [](Model& m) { m.proto.clear_opset_import(); });
  broken(data, "two initialisers are named 'c'",
         [&](Model& m) { constant(m, {0}), constant(m, {0}); });
  broken(data, "float_data holds 0 values, but f32[1000000000000] takes",
         [&](Model& m) { constant(m, {1'000'000'000'000}); });
  broken(data, "63 bits", [&](Model& m) { constant(m, {INT64_MAX, INT64_MAX}); });
  broken(data, "63 bits", [&](Model& m) { constant(m, {0, INT64_MAX, INT64_MAX}); });
  broken(data, "must not be negative", [&](Model& m) { constant(m, {-1}); });
  broken(data, "raw_data holds 3 bytes", [&](Model& m) { constant(m, {1}).set_raw_data("abc"); });
  broken(unsupported, "13 axes", [&](Model& m) { constant(m, std::vector<int64_t>(13, 1)); });
  broken(unsupported, "number 99", [](Model& m) { m.input("q", {}, 99); });
  broken(unsupported, "it is of kind sparse tensor", [](Model& m) {
    auto& value = *m.proto.mutable_graph()->add_input();
    value.set_name("s");
    value.mutable_type()->mutable_sparse_tensor_type();
  });
  broken(data, "Add: ", [](Model& m) {
    m.constant("c", TensorProto::INT64, {1}).add_int64_data(1), m.node("Add", {"x", "c"}, {"t"});
  });
  broken(data, "attribute 'alpha' is given twice; give it once\n  at node twice of test.onnx",
         [](Model& m) {
           auto& node = m.node("Elu", {"x"}, {"t"}, "twice");
           for (int i = 0; i < 2; ++i) {
             auto& attribute = *node.add_attribute();
             attribute.set_name("alpha");
             attribute.set_f(1);
             attribute.set_type(AttributeProto::FLOAT);
           }
         });
  broken(data, "unknown attribute 'nonsense'", [](Model& m) {
    auto& attribute = *m.node("Abs", {"x"}, {"t"}).add_attribute();
    attribute.set_name("nonsense");
    attribute.set_type(AttributeProto::INT);
  });
}

TEST(OnnxImport, SaysWhatAFileIsInstead) {
  using namespace std::string_view_literals;
  const auto expect = [](std::string_view bytes, std::string_view words) {
    try {
      import_onnx(std::as_bytes(std::span(bytes)), "file");
      ADD_FAILURE() << "imported without an error; expected: " << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_NE(error.message().find(words), std::string::npos) << error.what();
    }
  };
  expect("\xFF\xD8\xFF\xE0\0\x10JFIF"sv,
         "file: this is a JPEG image, not an ONNX model; give an .onnx file");
  expect("PK\x03\x04\x14\0"sv, "a ZIP archive");
  expect("version https://git-lfs.github.com/spec/v1\noid sha256:0"sv, "a Git LFS pointer");
  expect(""sv, "the file is empty");
  expect("hello, world"sv, "is no ONNX model");
  expect("\x08\x08"sv, "holds no graph");
}

TEST(OnnxImport, IsWholeOrRefused) {
  Model model;
  model.input("x", {"2"}).output("y");
  auto& constant = model.constant("w", TensorProto::FLOAT, {2});
  constant.add_float_data(1);
  constant.add_float_data(2);
  model.node("Add", {"x", "w"}, {"y"});
  // Opsets come before the graph here, so that a cut can only lose something that is needed.
  ModelProto head = model.proto;
  head.clear_graph();
  ModelProto tail;
  *tail.mutable_graph() = model.proto.graph();
  const std::string bytes = head.SerializeAsString() + tail.SerializeAsString();
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THROW(import_onnx(std::as_bytes(std::span(bytes).first(size)), "cut.onnx"), Error)
        << size;
  EXPECT_NO_THROW(import_onnx(std::as_bytes(std::span(bytes)), "whole.onnx"));
}

}  // namespace
}  // namespace tenon::formats::test
