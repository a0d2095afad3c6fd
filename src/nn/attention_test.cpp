// Layers of transformers: against the formula, and what masks, training and captures do.
#include "nn/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "runtime/random.h"

namespace tenon::nn {

namespace {

double largest_difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  double most = 0;
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i)
    most = std::max(most, std::abs(x[i] - y[i]));
  return most;
}

TEST(MultiheadAttention, IsTheFormulaWithOneHead) {
  manual_seed(3);
  MultiheadAttention attention(4, 1, {.batch_first = true});
  attention.in_proj_bias.copy_from(randn({12}));
  const Tensor x = randn({2, 3, 4}), y = randn({2, 5, 4});
  const auto part = [&](const Tensor& t, int64_t i) {
    return op::MatMul(t, attention.in_proj_weight.slice(0, 4 * i, 4 * i + 4).t()) +
           attention.in_proj_bias.slice(0, 4 * i, 4 * i + 4);
  };
  const Tensor weights = op::Softmax(op::MatMul(part(x, 0), part(y, 1).t()) * 0.5);
  const Tensor expected = attention.out_proj(op::MatMul(weights, part(y, 2)));
  const auto made = attention.forward_with_weights(x, y, y);
  EXPECT_LT(largest_difference(made.output, expected), 1e-5);
  EXPECT_LT(largest_difference(made.weights, weights), 1e-5);
  EXPECT_LT(largest_difference(attention.forward(x, y, y), expected), 1e-5);
}

TEST(MultiheadAttention, TakesTheLengthFirstUnlessTold) {
  manual_seed(3);
  MultiheadAttention first(6, 2, {.batch_first = true}), second(6, 2);
  second.load_state(first.state());
  const Tensor x = randn({2, 3, 6});
  const Tensor y = second(x.transpose(0, 1).contiguous());
  EXPECT_LT(largest_difference(y.transpose(0, 1), first(x)), 1e-6);
}

TEST(MultiheadAttention, MasksAreAsInPyTorch) {
  manual_seed(3);
  MultiheadAttention attention(4, 2, {.batch_first = true});
  const Tensor x = randn({1, 3, 4});
  const Tensor later =
      Tensor::from<bool>({false, true, true, false, false, true, false, false, false}, {3, 3});
  const Tensor causal = attention.forward(x, x, x, {.is_causal = true});
  EXPECT_LT(largest_difference(attention.forward(x, x, x, {.attn_mask = later}), causal), 1e-6);
  const Tensor padding = Tensor::from<bool>({false, false, true}, {1, 3});
  const Tensor shorter = x.slice(1, 0, 2);
  const Tensor padded = attention.forward(x, x, x, {.key_padding_mask = padding});
  EXPECT_LT(largest_difference(padded, attention.forward(x, shorter, shorter)), 1e-6);
  const Tensor both = attention.forward(x, x, x, {.key_padding_mask = padding, .attn_mask = later});
  EXPECT_LT(largest_difference(both.slice(1, 0, 2), causal.slice(1, 0, 2)), 1e-6);
  const Tensor weighed = attention.forward(
      x, x, x, {.key_padding_mask = padding, .attn_mask = Tensor::zeros({2, 3, 3})});
  EXPECT_LT(largest_difference(weighed, padded), 1e-6);
}

TEST(MultiheadAttention, DropsWeightsInTrainingOnly) {
  manual_seed(3);
  MultiheadAttention attention(4, 2, {.dropout = 0.5, .batch_first = true});
  const Tensor x = randn({1, 8, 4});
  EXPECT_GT(largest_difference(attention(x), attention(x)), 0);
  attention.eval();
  EXPECT_EQ(largest_difference(attention(x), attention(x)), 0);
}

TEST(TransformerEncoderLayer, HasPyTorchsNamesAndLearns) {
  manual_seed(3);
  TransformerEncoderLayer layer(8, 2, {.dim_feedforward = 16, .dropout = 0, .batch_first = true});
  std::vector<std::string> names;
  for (const auto& [name, tensor] : layer.named_parameters()) names.push_back(name);
  const std::vector<std::string> expected{"self_attn.in_proj_weight",
                                          "self_attn.in_proj_bias",
                                          "self_attn.out_proj.weight",
                                          "self_attn.out_proj.bias",
                                          "linear1.weight",
                                          "linear1.bias",
                                          "linear2.weight",
                                          "linear2.bias",
                                          "norm1.weight",
                                          "norm1.bias",
                                          "norm2.weight",
                                          "norm2.bias"};
  EXPECT_EQ(names, expected);
  const Tensor x = randn({2, 5, 8});
  const Tensor y = layer.forward(x, {.is_causal = true});
  EXPECT_EQ(y.shape(), (Shape{2, 5, 8}));
  (y * randn({2, 5, 8})).sum().backward();
  for (const auto& [name, tensor] : layer.named_parameters()) EXPECT_TRUE(tensor.grad()) << name;
}

TEST(TransformerEncoderLayer, NormalisesFirstWhenTold) {
  manual_seed(3);
  TransformerEncoderLayer layer(
      4, 1, {.dim_feedforward = 4, .dropout = 0, .activation = "gelu", .norm_first = true});
  layer.linear2.weight.fill(0);
  layer.linear2.bias.fill(0);
  layer.self_attn.out_proj.weight.fill(0);
  const Tensor x = randn({3, 2, 4});
  EXPECT_EQ(largest_difference(layer(x), x), 0);
}

TEST(TransformerEncoderLayer, SaysWhatIsWrong) {
  EXPECT_THROW(TransformerEncoderLayer(6, 4), Error);
  EXPECT_THROW(TransformerEncoderLayer(8, 4, {.activation = "tanh"}), Error);
  MultiheadAttention attention(4, 2);
  EXPECT_THROW(attention(Tensor::zeros({3, 4})), Error);
}

}  // namespace

}  // namespace tenon::nn
