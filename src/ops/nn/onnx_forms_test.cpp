// Older ONNX forms of nn operators: what a node of that opset computes, and how a node is said for
// one.
#include <gtest/gtest.h>

#include <cmath>

#include "ops/nn/catalog.h"
#include "ops/onnx_node.h"

namespace tenon {

namespace {

OnnxNode node_of(const OpDef& op, int opset, TensorList inputs, Attrs attrs = {},
                 size_t outputs = 1) {
  return {"n", "", std::string(op.name), opset, std::move(inputs), std::move(attrs), outputs};
}

// The outputs of a node as an importer makes them.
TensorList import(const OpDef& op, const OnnxNode& node) {
  if (node.opset >= op.onnx.since) return op.all(node.inputs, node.attrs, node.output_count);
  UpgradeFn upgrade = nullptr;
  for (const OnnxForm::Older& older : op.onnx.older)
    if (older.since <= node.opset) upgrade = older.upgrade;
  EXPECT_TRUE(upgrade) << op.name << " has no form for opset " << node.opset;
  return upgrade ? upgrade(node) : TensorList(node.output_count);
}

std::string refusal(const OpDef& op, OnnxNode node) {
  try {
    op.onnx.lower(node);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    return error.message();
  }
  return "";
}

void expect_near(const Tensor& actual, const std::vector<double>& expected) {
  const std::vector<double> values = actual.to_vector<double>();
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-6) << i;
}

TEST(OnnxForms, SoftmaxBefore13FlattensTheTrailingAxes) {
  const Tensor x = Tensor::zeros({2, 2, 3});
  expect_near(import(op::Softmax, node_of(op::Softmax, 11, {x}))[0],
              std::vector<double>(12, 1.0 / 6));
  expect_near(import(op::Softmax, node_of(op::Softmax, 11, {x}, {{"axis", 2}}))[0],
              std::vector<double>(12, 1.0 / 3));
  expect_near(import(op::LogSoftmax, node_of(op::LogSoftmax, 1, {x}))[0],
              std::vector<double>(12, -std::log(6)));
  EXPECT_EQ(import(op::Softmax, node_of(op::Softmax, 11, {x}))[0].shape(), (Shape{2, 2, 3}));
}

TEST(OnnxForms, SoftmaxIsSaidBefore13OnTheLastAxisOnly) {
  const Tensor x = Tensor::zeros({2, 2, 3});
  OnnxNode last = node_of(op::Softmax, 11, {x});
  op::Softmax.onnx.lower(last);
  EXPECT_EQ(last.attrs, (Attrs{{"axis", 2}}));
  EXPECT_EQ(refusal(op::Softmax, node_of(op::Softmax, 11, {x}, {{"axis", 1}})),
            "Softmax: node n works along axis 1 of 3, which opset 11 cannot say; export to opset "
            "13 or later");
}

TEST(OnnxForms, DropoutOfAnExportedNodeKeepsEverything) {
  const Tensor x = Tensor::from<float>({1, 2, 3, 4}, {4});
  const TensorList seven = import(op::Dropout, node_of(op::Dropout, 7, {x}, {{"ratio", 0.5}}, 2));
  expect_near(seven[0], {1, 2, 3, 4});
  EXPECT_EQ(seven[1].dtype(), DType::f32);
  const TensorList ten = import(op::Dropout, node_of(op::Dropout, 10, {x}, {{"ratio", 0.5}}, 2));
  EXPECT_EQ(ten[1].dtype(), DType::boolean);
  expect_near(
      import(op::Dropout, node_of(op::Dropout, 6, {x}, {{"ratio", 1.0}, {"is_test", 1}}))[0],
      {1, 2, 3, 4});
  expect_near(import(op::Dropout, node_of(op::Dropout, 6, {x}, {{"ratio", 1.0}}))[0], {0, 0, 0, 0});
}

TEST(OnnxForms, DropoutIsSaidBefore12WhenItDoesNotTrain) {
  const Tensor x = Tensor::zeros({4}), ratio = Tensor::scalar(0.25),
               on = Tensor::full({}, 1, DType::boolean);
  OnnxNode still = node_of(op::Dropout, 10, {x, ratio});
  op::Dropout.onnx.lower(still);
  EXPECT_EQ(still.inputs.size(), 1U);
  EXPECT_EQ(still.attrs, (Attrs{{"ratio", 0.25}}));
  EXPECT_EQ(refusal(op::Dropout, node_of(op::Dropout, 10, {x, ratio, on})),
            "Dropout: node n may train, which opset 10 cannot say; export to opset 12 or later");
}

TEST(OnnxForms, BatchNormalizationBefore14TrainsByItsOutputs) {
  const Tensor x = Tensor::from<float>({1, 3}, {2, 1});
  const Tensor one = Tensor::ones({1}), zero = Tensor::zeros({1});
  const TensorList inputs{x, one, zero, zero, one};
  const Attrs attrs{{"epsilon", 0.0}, {"momentum", 0.9}};
  expect_near(import(op::BatchNormalization, node_of(op::BatchNormalization, 9, inputs, attrs))[0],
              {1, 3});
  const TensorList trained =
      import(op::BatchNormalization, node_of(op::BatchNormalization, 9, inputs, attrs, 5));
  ASSERT_EQ(trained.size(), 5U);
  expect_near(trained[0], {-1, 1});
  expect_near(trained[1], {0.2});  // 0.9 * 0 + 0.1 * 2
  expect_near(trained[2], {1.0});  // 0.9 * 1 + 0.1 * 1
  expect_near(trained[3], {2});
  expect_near(trained[4], {1});
  expect_near(
      import(op::BatchNormalization, node_of(op::BatchNormalization, 6, inputs,
                                             attrs.with({"is_test", 1}).with({"spatial", 1})))[0],
      {1, 3});
  OnnxNode lowered = node_of(op::BatchNormalization, 9, inputs, {{"training_mode", 0}});
  op::BatchNormalization.onnx.lower(lowered);
  EXPECT_TRUE(lowered.attrs.empty());
  EXPECT_NE(refusal(op::BatchNormalization,
                    node_of(op::BatchNormalization, 9, inputs, {{"training_mode", 1}})),
            "");
}

TEST(OnnxForms, BatchNormalizationOfElements) {
  const Tensor x = Tensor::from<float>({1, 2, 3, 4}, {2, 1, 2});
  const Tensor scale = Tensor::from<float>({2, 1}, {1, 2}),
               bias = Tensor::from<float>({0, 5}, {1, 2}),
               mean = Tensor::from<float>({1, 2}, {1, 2}),
               var = Tensor::from<float>({4, 1}, {1, 2});
  const OnnxNode node = node_of(op::BatchNormalization, 7, {x, scale, bias, mean, var},
                                {{"spatial", 0}, {"epsilon", 0.0}});
  expect_near(import(op::BatchNormalization, node)[0], {0, 5, 2, 7});
}

TEST(OnnxForms, GroupNormalizationOf18HasAScaleAGroup) {
  const Tensor x = Tensor::from<float>({-1, 1, -1, 1, -1, 1, -1, 1}, {1, 4, 2});
  const Tensor scale = Tensor::from<float>({1, 10}, {2}), bias = Tensor::from<float>({0, 100}, {2});
  const Attrs attrs{{"num_groups", 2}, {"epsilon", 0.0}};
  expect_near(import(op::GroupNormalization,
                     node_of(op::GroupNormalization, 18, {x, scale, bias}, attrs))[0],
              {-1, 1, -1, 1, 90, 110, 90, 110});
}

TEST(OnnxForms, RecurrentNetworksHadNoLayoutAndAFlagForY) {
  const Tensor x = Tensor::from<float>({1, -1}, {2, 1, 1}), one = Tensor::ones({1, 1, 1});
  const Attrs attrs{{"hidden_size", 1}, {"activations", std::vector<std::string>{"Affine"}}};
  const TensorList outputs =
      import(op::RNN, node_of(op::RNN, 1, {x, one, one}, attrs.with({"output_sequence", 1}), 2));
  expect_near(outputs[0], {1, 0});
  expect_near(outputs[1], {0});
  OnnxNode lowered = node_of(op::RNN, 13, {x, one, one}, attrs.with({"layout", 0}));
  op::RNN.onnx.lower(lowered);
  EXPECT_EQ(lowered.attrs, attrs);
  EXPECT_NE(refusal(op::RNN, node_of(op::RNN, 13, {x, one, one}, attrs.with({"layout", 1}))), "");
}

TEST(OnnxForms, PoolingWithoutDilationsInOldOpsets) {
  const Tensor x = Tensor::zeros({1, 1, 4});
  OnnxNode plain = node_of(op::AveragePool, 17, {x}, {{"kernel_shape", {2}}, {"dilations", {1}}});
  op::AveragePool.onnx.lower(plain);
  EXPECT_EQ(plain.attrs, (Attrs{{"kernel_shape", {2}}}));
  EXPECT_EQ(refusal(op::AveragePool,
                    node_of(op::AveragePool, 17, {x}, {{"kernel_shape", {2}}, {"dilations", {2}}})),
            "AveragePool: node n has dilations [2], which opset 17 cannot say; export to opset 19 "
            "or later");
  EXPECT_NE(
      refusal(op::LpPool, node_of(op::LpPool, 17, {x}, {{"kernel_shape", {2}}, {"ceil_mode", 1}})),
      "");
  const Tensor threes = Tensor::full({1, 1, 2}, 3);
  expect_near(import(op::GlobalLpPool, node_of(op::GlobalLpPool, 1, {threes}, {{"p", 1.0}}))[0],
              {6});
}

}  // namespace

}  // namespace tenon
