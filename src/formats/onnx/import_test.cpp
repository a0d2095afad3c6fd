// Import: values, encodings, order, names, functions, old opsets, and files that are wrong.
#include "formats/onnx/import.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <functional>

#include "base/file.h"
#include "base/log.h"
#include "graph/interpreter.h"

namespace tenon::formats {

namespace {

using ::onnx::AttributeProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::ValueInfoProto;

// Models made field by field, as a file may have them.
class Model {
 public:
  explicit Model(int opset = 17) {
    proto.set_ir_version(8);
    auto& entry = *proto.add_opset_import();
    entry.set_version(opset);
    proto.mutable_graph()->set_name("test");
  }

  static void set_type(ValueInfoProto& value, const std::string& name, int type,
                       const std::vector<std::string>& dims) {
    value.set_name(name);
    auto& tensor = *value.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    tensor.mutable_shape();
    for (const std::string& dim : dims) {
      auto& size = *tensor.mutable_shape()->add_dim();
      if (dim.find_first_not_of("0123456789") == std::string::npos && !dim.empty()) {
        size.set_dim_value(std::stoll(dim));
      } else if (!dim.empty()) {
        size.set_dim_param(dim);
      }
    }
  }
  Model& input(const std::string& name, const std::vector<std::string>& dims,
               int type = TensorProto::FLOAT) {
    set_type(*proto.mutable_graph()->add_input(), name, type, dims);
    return *this;
  }
  Model& output(const std::string& name) {
    set_type(*proto.mutable_graph()->add_output(), name, TensorProto::FLOAT, {});
    return *this;
  }
  NodeProto& node(const std::string& op, const std::vector<std::string>& inputs,
                  const std::vector<std::string>& outputs, const std::string& name = {}) {
    return fill(*proto.mutable_graph()->add_node(), op, inputs, outputs, name);
  }
  static NodeProto& fill(NodeProto& added, const std::string& op,
                         const std::vector<std::string>& inputs,
                         const std::vector<std::string>& outputs, const std::string& name = {}) {
    added.set_op_type(op);
    added.set_name(name);
    for (const std::string& input : inputs) added.add_input(input);
    for (const std::string& output : outputs) added.add_output(output);
    return added;
  }
  TensorProto& constant(const std::string& name, int type, const std::vector<int64_t>& dims) {
    auto& added = *proto.mutable_graph()->add_initializer();
    added.set_name(name);
    added.set_data_type(type);
    for (int64_t size : dims) added.add_dims(size);
    return added;
  }

  graph::Graph import(const ImportOptions& options = {}) const {
    const std::string bytes = proto.SerializeAsString();
    return import_onnx(std::as_bytes(std::span(bytes)), "test.onnx", options);
  }
  void expect_error(ErrorKind kind, std::string_view words) const {
    try {
      (void)import();
      ADD_FAILURE() << "imported without an error; expected: " << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      EXPECT_NE(std::string_view(error.what()).find(words), std::string_view::npos)
          << error.what() << "\nexpected: " << words;
    }
  }

  ModelProto proto;
};

std::vector<double> run(const graph::Graph& graph, const TensorList& inputs, size_t output = 0) {
  return graph::Interpreter(graph).run(inputs)[output].to_vector<double>();
}

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

TEST(OnnxImport, ReadsEveryEncoding) {
  const auto round = [](const std::function<void(TensorProto&)>& fill, int type,
                        std::vector<int64_t> dims = {2}) {
    Model model;
    fill(model.constant("c", type, dims));
    model.node("Identity", {"c"}, {"y"});
    model.output("y");
    const graph::Graph graph = model.import();
    const Tensor value = graph::Interpreter(graph).run({})[0];
    EXPECT_EQ(static_cast<int>(value.dtype()), type);
    return value;
  };
  using Numbers = std::vector<double>;
  const auto ints32 = [](int32_t a, int32_t b) {
    return [=](TensorProto& t) { t.add_int32_data(a), t.add_int32_data(b); };
  };
  for (int type : {TensorProto::INT32, TensorProto::INT16, TensorProto::INT8})
    EXPECT_EQ(round(ints32(-5, 100), type).to_vector<double>(), (Numbers{-5, 100}));
  for (int type : {TensorProto::UINT16, TensorProto::UINT8})
    EXPECT_EQ(round(ints32(5, 200), type).to_vector<double>(), (Numbers{5, 200}));
  EXPECT_EQ(round(ints32(7, 0), TensorProto::BOOL).to_vector<double>(), (Numbers{1, 0}));
  EXPECT_EQ(round(ints32(0x3C00, 0xC000), TensorProto::FLOAT16).to_vector<double>(),
            (Numbers{1, -2}));
  EXPECT_EQ(round(ints32(0x3F80, 0xC000), TensorProto::BFLOAT16).to_vector<double>(),
            (Numbers{1, -2}));
  EXPECT_EQ(
      round([](auto& t) { t.add_int64_data(INT64_MIN), t.add_int64_data(3); }, TensorProto::INT64)
          .to_vector<int64_t>(),
      (std::vector<int64_t>{INT64_MIN, 3}));
  for (int type : {TensorProto::UINT32, TensorProto::UINT64})
    EXPECT_EQ(round([](auto& t) { t.add_uint64_data(4000000000), t.add_uint64_data(1); }, type)
                  .to_vector<double>(),
              (Numbers{4000000000, 1}));
  EXPECT_EQ(
      round([](auto& t) { t.add_double_data(1.5), t.add_double_data(-2); }, TensorProto::DOUBLE)
          .to_vector<double>(),
      (Numbers{1.5, -2}));
  EXPECT_EQ(round([](auto& t) { t.set_raw_data(std::string("\0\0\x80\x3F\0\0\0\xC0", 8)); },
                  TensorProto::FLOAT)
                .to_vector<double>(),
            (Numbers{1, -2}));
  EXPECT_EQ(round([](auto& t) { t.set_raw_data(std::string("\x02\0", 2)); }, TensorProto::BOOL)
                .to_vector<double>(),
            (Numbers{1, 0}));
  EXPECT_EQ(
      round([](auto& t) { t.add_string_data("a"), t.add_string_data("\xFF"); }, TensorProto::STRING)
          .to_vector<std::string>(),
      (std::vector<std::string>{"a", "\xFF"}));
  EXPECT_EQ(round([](auto&) {}, TensorProto::FLOAT, {0, 4}).shape(), (Shape{0, 4}));
}

TEST(OnnxImport, ReadsSparseInitialisers) {
  Model model;
  auto& sparse = *model.proto.mutable_graph()->add_sparse_initializer();
  sparse.mutable_values()->set_name("s");
  sparse.mutable_values()->set_data_type(TensorProto::FLOAT);
  sparse.mutable_values()->add_dims(2);
  sparse.mutable_values()->add_float_data(5);
  sparse.mutable_values()->add_float_data(6);
  sparse.mutable_indices()->set_data_type(TensorProto::INT64);
  sparse.mutable_indices()->add_dims(2);
  sparse.mutable_indices()->add_int64_data(1);
  sparse.mutable_indices()->add_int64_data(3);
  sparse.add_dims(2);
  sparse.add_dims(2);
  model.node("Identity", {"s"}, {"y"});
  model.output("y");
  EXPECT_EQ(run(model.import(), {}), (std::vector<double>{0, 5, 0, 6}));
  sparse.mutable_indices()->set_int64_data(1, 4);
  model.expect_error(ErrorKind::data, "sparse value 1 lies outside [2, 2]");
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

TEST(OnnxImport, WritesFunctionsOut) {
  Model model;
  model.input("x", {"2"}).output("y");
  auto& domain = *model.proto.add_opset_import();
  domain.set_domain("mine");
  domain.set_version(1);
  auto& function = *model.proto.add_functions();
  function.set_name("Leaky");
  function.set_domain("mine");
  function.add_input("a");
  function.add_output("r");
  function.add_attribute("slope");
  function.add_opset_import()->set_version(17);
  auto& body = Model::fill(*function.add_node(), "LeakyRelu", {"a"}, {"r"});
  auto& reference = *body.add_attribute();
  reference.set_name("alpha");
  reference.set_ref_attr_name("slope");
  reference.set_type(AttributeProto::FLOAT);
  for (const char* output : {"t", "y"}) {
    auto& call = model.node("Leaky", {output == std::string("t") ? "x" : "t"}, {output});
    call.set_domain("mine");
    auto& slope = *call.add_attribute();
    slope.set_name("slope");
    slope.set_type(AttributeProto::FLOAT);
    slope.set_f(0.5F);
  }
  EXPECT_EQ(run(model.import(), {Tensor::from<float>({-4, 4}, {2})}), (std::vector<double>{-1, 4}));

  Model::fill(*function.add_node(), "Leaky", {"a"}, {"again"}).set_domain("mine");
  model.expect_error(ErrorKind::unsupported, "more than 32 deep");
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

TEST(OnnxImport, ReadsExternalDataInsideTheFolderOnly) {
  const TempDirectory folder;
  Model model;
  model.output("y");
  auto& constant = model.constant("w", TensorProto::FLOAT, {2});
  constant.set_data_location(TensorProto::EXTERNAL);
  const auto set = [&](const std::string& key, const std::string& value) {
    for (auto& entry : *constant.mutable_external_data())
      if (entry.key() == key) return entry.set_value(value);
    auto& entry = *constant.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  };
  set("location", "w.bin");
  set("offset", "4");
  set("length", "8");
  model.node("Neg", {"w"}, {"y"});
  write_file(folder / "w.bin", std::string("\0\0\0\0\0\0\x80\x3F\0\0\0\x40", 12));
  const auto import = [&] {
    write_file(folder / "m.onnx", model.proto.SerializeAsString());
    return import_onnx(folder / "m.onnx");
  };
  EXPECT_EQ(run(import(), {}), (std::vector<double>{-1, -2}));
  model.expect_error(ErrorKind::unsupported, "import it by path");

  const auto expect = [&](std::string_view words) {
    try {
      import();
      ADD_FAILURE() << "imported without an error; expected: " << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
      EXPECT_NE(std::string_view(error.what()).find(words), std::string_view::npos) << error.what();
    }
  };
  set("offset", "8");
  expect("w.bin");
  set("offset", "18446744073709551615");
  expect("w.bin");
  set("offset", "x");
  expect("whole number");
  set("offset", "0");
  for (const char* location : {"../w.bin", "/etc/passwd", "a/../../w.bin", ""}) {
    set("location", location);
    expect("outside the model's folder");
  }
}

TEST(OnnxImport, NamesUnknownOperators) {
  Model model;
  model.input("x", {"2"}).output("y");
  model.node("Reluu", {"x"}, {"t"}, "act");
  model.node("Frobnicate", {"t"}, {"y"}).set_domain("my.domain");
  model.expect_error(ErrorKind::unsupported,
                     "node act of test.onnx: Tenon has no operator 'Reluu' of domain ai.onnx "
                     "(opset 17), and 1 more of this "
                     "model's operators; did you mean Relu?");
  const TempDirectory folder;
  write_file(folder / "m.onnx", model.proto.SerializeAsString());
  EXPECT_EQ(import_obstacles(folder / "m.onnx"),
            (std::vector<std::string>{"operator Reluu", "operator my.domain.Frobnicate"}));
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
  broken(unsupported, "FLOAT8E4M3FN", [](Model& m) { m.constant("c", 17, {0}); });
  broken(unsupported, "number 99", [](Model& m) { m.input("q", {}, 99); });
  broken(unsupported, "it is of kind sparse tensor", [](Model& m) {
    auto& value = *m.proto.mutable_graph()->add_input();
    value.set_name("s");
    value.mutable_type()->mutable_sparse_tensor_type();
  });
  broken(data, "Add: ", [](Model& m) {
    m.constant("c", TensorProto::INT64, {1}).add_int64_data(1), m.node("Add", {"x", "c"}, {"t"});
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
}  // namespace tenon::formats
