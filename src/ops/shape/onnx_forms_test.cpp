// Older ONNX forms of shape and reduce operators: what import makes of them, and what export
// writes. ONNX's node tests cover few of the versions.
#include <gtest/gtest.h>

#include "ops/onnx_node.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon {

namespace {

OnnxNode node_of(const OpDef& op, int opset, TensorList inputs, Attrs attrs, size_t outputs = 1) {
  return {.name = "n",
          .domain = "",
          .op_type = std::string(op.name),
          .opset = opset,
          .inputs = std::move(inputs),
          .attrs = std::move(attrs),
          .output_count = outputs};
}

// As the importer picks the row: the newest that is not above the file's opset.
TensorList imported(const OpDef& op, int opset, const TensorList& inputs, const Attrs& attrs,
                    size_t outputs = 1) {
  UpgradeFn upgrade = nullptr;
  for (const OnnxForm::Older& older : op.onnx.older)
    if (older.since <= opset) upgrade = older.upgrade;
  return upgrade(node_of(op, opset, inputs, attrs, outputs));
}

OnnxNode exported(const OpDef& op, int opset, TensorList inputs, Attrs attrs, size_t outputs = 1) {
  OnnxNode node = node_of(op, opset, std::move(inputs), std::move(attrs), outputs);
  op.onnx.lower(node);
  return node;
}

std::string refusal(const OpDef& op, int opset, const TensorList& inputs, const Attrs& attrs) {
  try {
    exported(op, opset, inputs, attrs);
  } catch (const Error& error) {
    return error.kind() == ErrorKind::unsupported ? error.message() : "another kind";
  }
  return "";
}

std::vector<int64_t> ints_attr(const OnnxNode& node, std::string_view name) {
  return std::get<std::vector<int64_t>>(*node.attrs.find(name));
}

const Tensor x = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

TEST(OnnxForms, ImportsAxesAndShapesFromAttributes) {
  EXPECT_EQ(imported(op::Reshape, 1, {x}, {{"shape", {3, 2}}, {"consumed_inputs", {0}}})[0].shape(),
            Shape({3, 2}));
  EXPECT_EQ(imported(op::Unsqueeze, 11, {x}, {{"axes", {0, -1}}})[0].shape(), Shape({1, 2, 3, 1}));
  EXPECT_EQ(
      imported(op::ReduceSum, 11, {x}, {{"axes", {1}}, {"keepdims", 0}})[0].to_vector<float>(),
      Floats({6, 15}));
  EXPECT_EQ(imported(op::ReduceMax, 13, {x}, {{"axes", {0}}})[0].to_vector<float>(),
            Floats({4, 5, 6}));
  EXPECT_EQ(imported(op::TopK, 1, {x}, {{"k", 1}}, 2)[1].to_vector<int64_t>(), Ints({2, 2}));
}

TEST(OnnxForms, ImportsOldSlicesPadsAndTiles) {
  const Tensor slice =
      imported(op::Slice, 1, {x}, {{"starts", {1}}, {"ends", {3}}, {"axes", {1}}})[0];
  EXPECT_EQ(slice.to_vector<float>(), Floats({2, 3, 5, 6}));
  const Tensor pad = imported(op::Pad, 2, {x}, {{"pads", {0, 0, 0, 1}}, {"value", 9.0}})[0];
  EXPECT_EQ(pad.to_vector<float>(), Floats({1, 2, 3, 9, 4, 5, 6, 9}));
  const Tensor tile = imported(op::Tile, 1, {x, Tensor::ints({2}), Tensor::ints({0})}, {})[0];
  EXPECT_EQ(tile.shape(), Shape({4, 3}));
  EXPECT_EQ(imported(op::Concat, 1, {x, x}, {})[0].shape(), Shape({2, 6}));
  const Tensor scattered = imported(
      op::Scatter, 9,
      {x, Tensor::from<int64_t>({1, 0, 0}, {1, 3}), Tensor::from<float>({7, 8, 9}, {1, 3})}, {})[0];
  EXPECT_EQ(scattered.to_vector<float>(), Floats({1, 8, 9, 7, 5, 6}));
}

TEST(OnnxForms, ImportsSplitsByTheNumberOfOutputs) {
  const TensorList equal = imported(op::Split, 13, {x}, {{"axis", 1}}, 3);
  EXPECT_EQ(equal[2].to_vector<float>(), Floats({3, 6}));
  const TensorList given = imported(op::Split, 2, {x}, {{"axis", 1}, {"split", {1, 2}}}, 2);
  EXPECT_EQ(given[1].to_vector<float>(), Floats({2, 3, 5, 6}));
}

TEST(OnnxForms, ImportsHardmaxOfMergedAxes) {
  const Tensor y = imported(op::Hardmax, 11, {x}, {{"axis", 0}})[0];
  EXPECT_EQ(y.to_vector<float>(), Floats({0, 0, 0, 0, 0, 1}));
}

TEST(OnnxForms, ExportsAxesAsAttributes) {
  const OnnxNode mean = exported(op::ReduceMean, 17, {x, Tensor::ints({-1})}, {{"keepdims", 0}});
  EXPECT_EQ(mean.inputs.size(), 1U);
  EXPECT_EQ(ints_attr(mean, "axes"), Ints({-1}));
  EXPECT_EQ(exported(op::ReduceMean, 17, {x, Tensor::ints({})}, {}).attrs.find("axes"), nullptr);
  EXPECT_EQ(exported(op::ReduceMean, 17, {x}, {{"noop_with_empty_axes", 1}}).op_type, "Identity");
  EXPECT_EQ(ints_attr(exported(op::Squeeze, 11, {x, Tensor::ints({0})}, {}), "axes"), Ints({0}));
}

TEST(OnnxForms, ExportsPadsOfAllAxes) {
  const OnnxNode node =
      exported(op::Pad, 17, {x, Tensor::ints({1, 2}), Tensor(), Tensor::ints({-1})}, {});
  ASSERT_EQ(node.inputs.size(), 2U);
  EXPECT_EQ(node.inputs[1].to_vector<int64_t>(), Ints({0, 1, 0, 2}));
  const OnnxNode old = exported(op::Pad, 2, {x, Tensor::ints({0, 1, 0, 0}), Tensor::scalar(3)}, {});
  EXPECT_EQ(ints_attr(old, "pads"), Ints({0, 1, 0, 0}));
  EXPECT_EQ(std::get<double>(*old.attrs.find("value")), 3);
  EXPECT_NE(refusal(op::Pad, 17, {x, Tensor::ints({0, 1, 0, 0})}, {{"mode", "wrap"}})
                .find("opset 17 has no mode wrap"),
            std::string::npos);
}

TEST(OnnxForms, ExportsSplitsThatAreNotEqualWithTheirSizes) {
  const OnnxNode equal = exported(op::Split, 17, {x}, {{"axis", 1}, {"num_outputs", 3}}, 3);
  EXPECT_EQ(equal.inputs.size(), 1U);
  EXPECT_FALSE(equal.attrs.has("num_outputs"));
  const OnnxNode uneven = exported(op::Split, 17, {x}, {{"axis", 1}, {"num_outputs", 2}}, 2);
  ASSERT_EQ(uneven.inputs.size(), 2U);
  EXPECT_EQ(uneven.inputs[1].to_vector<int64_t>(), Ints({2, 1}));
  EXPECT_EQ(ints_attr(exported(op::Split, 11, {x}, {{"axis", 1}, {"num_outputs", 2}}, 2), "split"),
            Ints({2, 1}));
}

TEST(OnnxForms, RefusesWhatAnOpsetCannotSay) {
  const Tensor indices = Tensor::from<int64_t>({0, 0, 0}, {1, 3});
  const Tensor updates = Tensor::from<float>({1, 2, 3}, {1, 3});
  EXPECT_NE(refusal(op::ScatterElements, 17, {x, indices, updates}, {{"reduction", "max"}})
                .find("came with opset 18"),
            std::string::npos);
  EXPECT_EQ(refusal(op::ScatterElements, 17, {x, indices, updates}, {{"reduction", "add"}}), "");
  EXPECT_NE(refusal(op::Shape, 13, {x}, {{"start", 1}}).find("has no start and end"),
            std::string::npos);
  EXPECT_NE(
      refusal(op::TopK, 10, {x, Tensor::ints({1})}, {{"largest", 0}}).find("has no largest=0"),
      std::string::npos);
  EXPECT_NE(refusal(op::Reshape, 13, {x, Tensor::ints({0, 3})}, {{"allowzero", 1}})
                .find("needs allowzero"),
            std::string::npos);
}

}  // namespace

}  // namespace tenon
