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

}  // namespace

}  // namespace tenon::cpu
