// The kernels of transformers on every instruction set: rows, keys and head sizes that fill tiles,
// leave rests, and fill none.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backends/cpu/testing.h"
#include "ops/catalog.h"
#include "runtime/random.h"

namespace tenon::cpu {

namespace {

double largest_difference(const OpDef& op, const TensorList& inputs, const Attrs& attrs) {
  Tensor expected, actual;
  {
    const BackendScope scope(Backend::reference);
    expected = op.all(inputs, attrs)[0];
  }
  {
    const BackendScope scope(Backend::cpu);
    actual = op.all(inputs, attrs)[0];
  }
  const auto a = actual.to_vector<double>(), e = expected.to_vector<double>();
  double most = 0;
  for (size_t i = 0; i < e.size(); ++i) most = std::max(most, std::abs(a[i] - e[i]));
  return most;
}

TEST(AttentionKernel, AgreesWithTheReferenceOnEveryTarget) {
  manual_seed(5);
  on_every_target([] {
    for (const int64_t queries : {1, 7, 75})
      for (const int64_t size : {3, 70}) {
        SCOPED_TRACE(fmt::format("{} queries, heads of {}", queries, size));
        const int64_t keys = queries + 130;
        TensorList inputs{randn({2, 4, queries, size}), randn({2, 2, keys, size}),
                          randn({2, 2, keys, size + 1})};
        EXPECT_LT(largest_difference(op::Attention, inputs, {}), 1e-5);
        EXPECT_LT(largest_difference(op::Attention, inputs, {{"is_causal", 1}}), 1e-5);
        inputs.push_back(randn({4, queries, keys}));
        EXPECT_LT(largest_difference(op::Attention, inputs, {{"softcap", 3.0}}), 1e-5);
        inputs[3] = op::Greater(inputs[3], Tensor::scalar(0.5));
        EXPECT_LT(largest_difference(op::Attention, inputs, {}), 1e-5);
        inputs[3] = Tensor();
        inputs.insert(inputs.end(), {Tensor(), Tensor(), Tensor::ints({0, keys - 2})});
        EXPECT_LT(largest_difference(op::Attention, inputs, {{"is_causal", 1}}), 1e-5);
      }
  });
}

TEST(AttentionKernel, ReadsHalfPrecision) {
  manual_seed(6);
  on_every_target([] {
    for (const DType type : {DType::f16, DType::bf16})
      for (const int64_t queries : {1, 5, 40}) {
        SCOPED_TRACE(fmt::format("{} queries of {}", queries, name(type)));
        const int64_t keys = queries + 133;
        TensorList narrow{randn({2, queries, 30}), randn({2, keys, 10}), randn({2, keys, 14}),
                          randn({queries, keys})};
        for (Tensor& x : narrow) x = x.to(type);
        TensorList wide = narrow;
        for (Tensor& x : wide) x = x.to(DType::f32);
        const Attrs attrs{{"q_num_heads", 6}, {"kv_num_heads", 2}};
        Tensor expected, actual;
        {
          const BackendScope scope(Backend::reference);
          expected = op::Attention.all(wide, attrs)[0];
        }
        {
          const BackendScope scope(Backend::cpu);
          actual = op::Attention.all(narrow, attrs)[0];
        }
        ASSERT_EQ(actual.dtype(), type);
        const auto a = actual.to_vector<double>(), e = expected.to_vector<double>();
        for (size_t i = 0; i < e.size(); ++i)
          ASSERT_NEAR(a[i], e[i],
                      (type == DType::f16 ? 1e-3 : 8e-3) * std::max(1.0, std::abs(e[i])));
      }
  });
}

TEST(AttentionKernel, ReadsPartsOfAPackedProjection) {
  manual_seed(6);
  const Tensor packed = randn({2, 70, 3 * 24});
  TensorList parts, copies;
  for (int64_t i = 0; i < 3; ++i) {
    parts.push_back(packed.slice(2, i * 24, (i + 1) * 24));
    copies.push_back(parts.back().contiguous());
  }
  const Attrs attrs{{"q_num_heads", 4}, {"kv_num_heads", 4}};
  EXPECT_EQ(op::Attention.all(parts, attrs)[0].to_vector<float>(),
            op::Attention.all(copies, attrs)[0].to_vector<float>());
}

TEST(AttentionKernel, BeginsWithAnEmptyCache) {
  manual_seed(6);
  const Tensor x = randn({1, 2, 3, 4}), none = Tensor::zeros({1, 2, 0, 4});
  const BackendScope scope(Backend::cpu);
  const TensorList grown =
      op::Attention.all({x, x, x, Tensor(), none, none}, {{"is_causal", 1}}, 3);
  const TensorList plain = op::Attention.all({x, x, x}, {{"is_causal", 1}});
  EXPECT_EQ(grown[0].to_vector<float>(), plain[0].to_vector<float>());
  EXPECT_EQ(grown[1].to_vector<float>(), x.to_vector<float>());
  EXPECT_EQ(grown[2].to_vector<float>(), x.to_vector<float>());
}

TEST(AttentionKernel, KeepsNaN) {
  Tensor q = Tensor::ones({1, 1, 2, 4});
  q.data<float>()[0] = NAN;
  const Tensor keys = Tensor::ones({1, 1, 200, 4});
  const auto y = op::Attention(q, keys, keys).to_vector<double>();
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(std::isnan(y[i]), i < 4) << i;
}

TEST(RotaryEmbeddingKernel, AgreesWithTheReferenceOnEveryTarget) {
  manual_seed(5);
  on_every_target([] {
    for (const int64_t half : {1, 16, 37})
      for (const int64_t interleaved : {0, 1}) {
        const TensorList inputs{randn({2, 3, 5, 2 * half + 2}), randn({2, 5, half}),
                                randn({2, 5, half})};
        EXPECT_LT(
            largest_difference(op::RotaryEmbedding, inputs,
                               {{"interleaved", interleaved}, {"rotary_embedding_dim", 2 * half}}),
            1e-5);
      }
  });
}

TEST(SkipNormalizationKernels, AgreeWithTheReferenceOnEveryTarget) {
  manual_seed(5);
  on_every_target([] {
    for (const int64_t width : {1, 16, 83}) {
      const auto vector = [&] { return randn({width}); };
      const Tensor x = randn({2, 3, width}), skip = randn({3, width});
      const Attrs epsilon{{"epsilon", 1e-3}};
      EXPECT_LT(largest_difference(op::RMSNormalization, {x, vector()}, epsilon), 1e-5);
      EXPECT_LT(largest_difference(op::SkipLayerNormalization,
                                   {x, skip, vector(), vector(), vector()}, epsilon),
                1e-4);
      EXPECT_LT(largest_difference(op::SkipSimplifiedLayerNormalization,
                                   {x, skip, vector(), vector()}, epsilon),
                1e-5);
    }
  });
}

// What the engine may do where Kernel::in_place says so.
TEST(RowKernels, WriteOverTheirInput) {
  manual_seed(7);
  for (const DType type : {DType::f32, DType::f16}) {
    const auto drawn = [&](const Shape& shape) { return randn(shape).to(type); };
    const Tensor x = drawn({5, 6, 83}), skip = drawn({5, 6, 83}), scale = drawn({83});
    struct Call {
      const OpDef* op;
      TensorList inputs;
      Attrs attrs;
    };
    const Call calls[] = {
        {&op::Softmax, {x}, {}},
        {&op::LogSoftmax, {x}, {}},
        {&op::LayerNormalization, {x, scale, scale}, {}},
        {&op::RMSNormalization, {x, scale}, {}},
        {&op::SkipLayerNormalization, {x, skip, scale}, {{"epsilon", 1e-3}}},
        {&op::GroupNormalization, {x, drawn({6}), drawn({6})}, {{"num_groups", 2}}},
    };
    for (const Call& call : calls) {
      SCOPED_TRACE(call.op->name);
      const auto expected = call.op->all(call.inputs, call.attrs)[0].to_vector<double>();
      TensorList inputs = call.inputs;
      inputs[0] = x.clone();
      std::vector<const Tensor*> given;
      for (const Tensor& input : inputs) given.push_back(&input);
      TensorList outputs{inputs[0]};
      apply_into(*call.op, given, call.attrs, outputs);
      EXPECT_EQ(inputs[0].to_vector<double>(), expected);
    }
  }
}

}  // namespace

}  // namespace tenon::cpu
