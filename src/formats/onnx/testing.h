// ONNX models made field by field, as a file may have them, for tests.
#pragma once

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "formats/onnx/import.h"
#include "graph/interpreter.h"

namespace tenon::formats::test {

using ::onnx::AttributeProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::ValueInfoProto;

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

inline std::vector<double> run(const graph::Graph& graph, const TensorList& inputs,
                               size_t output = 0) {
  return graph::Interpreter(graph).run(inputs)[output].to_vector<double>();
}

}  // namespace tenon::formats::test
