// Operators that ONNX dropped, read from models of one node.
#include "formats/onnx/legacy.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <cmath>
#include <functional>

#include "formats/onnx/import.h"
#include "graph/interpreter.h"

namespace tenon::formats {

namespace {

using ::onnx::AttributeProto;
using ::onnx::NodeProto;
using Numbers = std::vector<double>;

struct Node {
  NodeProto& proto;

  Node& f(const std::string& name, float value) {
    auto& attribute = add(name, AttributeProto::FLOAT);
    attribute.set_f(value);
    return *this;
  }
  Node& i(const std::string& name, int64_t value) {
    add(name, AttributeProto::INT).set_i(value);
    return *this;
  }
  Node& s(const std::string& name, const std::string& value) {
    add(name, AttributeProto::STRING).set_s(value);
    return *this;
  }
  Node& ints(const std::string& name, const std::vector<int64_t>& values) {
    auto& attribute = add(name, AttributeProto::INTS);
    for (const int64_t value : values) attribute.add_ints(value);
    return *this;
  }
  Node& floats(const std::string& name, const std::vector<float>& values) {
    auto& attribute = add(name, AttributeProto::FLOATS);
    for (const float value : values) attribute.add_floats(value);
    return *this;
  }

 private:
  AttributeProto& add(const std::string& name, AttributeProto::AttributeType type) {
    auto& attribute = *proto.add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  }
};

// What `op` of `opset` makes of x, or of nothing where x is not given.
Tensor run(const std::string& op, int opset, const std::function<void(Node&)>& fill,
           const Tensor& x = {}) {
  ::onnx::ModelProto model;
  model.set_ir_version(3);
  model.add_opset_import()->set_version(opset);
  auto& graph = *model.mutable_graph();
  graph.set_name("legacy");
  auto& node = *graph.add_node();
  node.set_op_type(op);
  node.add_output("y");
  if (x.defined()) {
    node.add_input("x");
    auto& input = *graph.add_input();
    input.set_name("x");
    auto& type = *input.mutable_type()->mutable_tensor_type();
    type.set_elem_type(static_cast<int>(x.dtype()));
    for (const int64_t size : x.shape()) type.mutable_shape()->add_dim()->set_dim_value(size);
  }
  graph.add_output()->set_name("y");
  Node wrapped{node};
  fill(wrapped);
  const std::string bytes = model.SerializeAsString();
  const graph::Graph imported =
      import_onnx(std::as_bytes(std::span(bytes.data(), bytes.size())), "legacy.onnx", {}, ".");
  return graph::Interpreter(imported).run(x.defined() ? TensorList{x} : TensorList{})[0];
}

Numbers values(const Tensor& tensor) { return tensor.to_vector<double>(); }

TEST(OnnxLegacy, FunctionsOfOneElement) {
  const Tensor x = Tensor::from<float>({0, 1, 2}, {3});
  EXPECT_EQ(values(run(
                "Affine", 7, [](Node& n) { n.f("alpha", 2).f("beta", -1); }, x)),
            (Numbers{-1, 1, 3}));
  EXPECT_EQ(values(run(
                "Affine", 7, [](Node&) {}, x)),
            (Numbers{0, 1, 2}));
  EXPECT_EQ(values(run(
                "Scale", 1, [](Node& n) { n.f("scale", 0.5); }, x)),
            (Numbers{0, 0.5, 1}));
  EXPECT_EQ(values(run(
                "ThresholdedRelu", 1, [](Node& n) { n.f("alpha", 1); }, x)),
            (Numbers{0, 0, 2}));
  const Numbers tanh = values(run(
      "ScaledTanh", 1, [](Node& n) { n.f("alpha", 3).f("beta", 0.5); }, x));
  const Numbers softplus = values(run(
      "ParametricSoftplus", 1, [](Node& n) { n.f("alpha", 3).f("beta", 0.5); }, x));
  for (size_t i = 0; i < 3; ++i) {
    const auto v = static_cast<double>(i);
    EXPECT_NEAR(tanh[i], 3 * std::tanh(v / 2), 1e-6);
    EXPECT_NEAR(softplus[i], 3 * std::log1p(std::exp(v / 2)), 1e-6);
  }
}

TEST(OnnxLegacy, Images) {
  const Tensor x = Tensor::arange(12, DType::f32).reshape({1, 2, 2, 3});
  EXPECT_EQ(values(run(
                "ImageScaler", 1,
                [](Node& n) {
                  n.f("scale", 2).floats("bias", {10, 100});
                },
                x)),
            (Numbers{10, 12, 14, 16, 18, 20, 112, 114, 116, 118, 120, 122}));
  EXPECT_EQ(values(run(
                "Crop", 1,
                [](Node& n) {
                  n.ints("border", {1, 1, 0, 0});
                },
                x)),
            (Numbers{4, 5, 10, 11}));
  EXPECT_EQ(values(run(
                "Crop", 1,
                [](Node& n) {
                  n.ints("border", {1, 0, 0, 0}).ints("scale", {2, 1});
                },
                x)),
            (Numbers{1, 4, 7, 10}));
}

TEST(OnnxLegacy, Upsample) {
  const Tensor x = Tensor::from<float>({1, 2, 3, 4}, {1, 1, 2, 2});
  const Tensor once = run(
      "Upsample", 1,
      [](Node& n) { n.f("height_scale", 1).f("width_scale", 2).s("mode", "nearest"); }, x);
  EXPECT_EQ(once.shape(), (Shape{1, 1, 2, 4}));
  EXPECT_EQ(values(once), (Numbers{1, 1, 2, 2, 3, 3, 4, 4}));
  const Tensor mixed = run(
      "Upsample", 7,
      [](Node& n) {
        n.floats("scales", {1, 1, 1, 2}).s("mode", "linear");
      },
      x);
  EXPECT_EQ(values(mixed), (Numbers{1, 1.5, 2, 2, 3, 3.5, 4, 4}));
}

TEST(OnnxLegacy, Fills) {
  EXPECT_EQ(values(run("GivenTensorFill", 1,
                       [](Node& n) {
                         n.floats("values", {1, 2, 3, 4}).ints("shape", {2, 2});
                       })),
            (Numbers{1, 2, 3, 4}));
  const Tensor like = run(
      "ConstantFill", 1, [](Node& n) { n.f("value", 7).ints("extra_shape", {2}).i("dtype", 6); },
      Tensor::zeros({3}));
  EXPECT_EQ(like.shape(), (Shape{3, 2}));
  EXPECT_EQ(like.dtype(), DType::i32);
  EXPECT_EQ(values(like), Numbers(6, 7));
}

TEST(OnnxLegacy, AreRefusedWhereTheyAreWrong) {
  EXPECT_EQ(find_legacy("Relu", ""), nullptr);
  EXPECT_EQ(find_legacy("Affine", "com.microsoft"), nullptr);
  const Tensor x = Tensor::zeros({1, 1, 2, 2});
  EXPECT_THROW(run(
                   "Crop", 1, [](Node& n) { n.ints("border", {1}); }, x),
               Error);
  EXPECT_THROW(run("Affine", 1, [](Node&) {}), Error);
}

}  // namespace

}  // namespace tenon::formats
