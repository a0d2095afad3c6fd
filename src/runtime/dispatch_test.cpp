// The door itself: caching, choosing, refusing, computing in place, from several threads.
#include "runtime/dispatch.h"

#include <gtest/gtest.h>

#include <thread>

#include "ops/math/catalog.h"
#include "ops/shape/catalog.h"
#include "ops/training/catalog.h"
#include "runtime/random.h"

namespace tenon {

namespace {

TEST(Dispatch, PreparesASignatureOnce) {
  const Tensor a = rand({3, 7}), b = rand({3, 7});
  op::Add(a, b);
  const int64_t before = dispatch_counts().cache_hits;
  op::Add(a, b);
  op::Add(b, a);
  EXPECT_EQ(dispatch_counts().cache_hits, before + 2);
}

TEST(Dispatch, ValuesThatDecideShapesArePartOfTheSignature) {
  const Tensor x = rand({6});
  EXPECT_EQ(op::Reshape(x, Tensor::ints({2, 3})).shape(), (Shape{2, 3}));
  EXPECT_EQ(op::Reshape(x, Tensor::ints({3, -1})).shape(), (Shape{3, 2}));
}

TEST(Dispatch, ExplainsItsChoices) {
  clear_kernel_cache();
  set_explain(true);
  op::Sqrt(rand({5}));
  op::Sqrt(rand({5}, 0, 1, DType::f64));
  set_explain(false);
  const std::vector<Choice> choices = take_choices();
  ASSERT_EQ(choices.size(), 2U);
  EXPECT_EQ(choices[0].call, "Sqrt(f32[5])");
  EXPECT_TRUE(choices[0].kernel.starts_with("cpu.")) << choices[0].kernel;
  for (const Choice& choice : choices) {
    const bool slow = choice.kernel.starts_with("reference.");
    EXPECT_TRUE(!slow || !choice.refusals.empty()) << choice.call;
  }
}

TEST(Dispatch, ReferenceScopeUsesPlainLoops) {
  clear_kernel_cache();
  set_explain(true);
  {
    const BackendScope scope(Backend::reference);
    op::Exp(rand({4}));
  }
  set_explain(false);
  const std::vector<Choice> choices = take_choices();
  ASSERT_EQ(choices.size(), 1U);
  EXPECT_TRUE(choices[0].kernel.starts_with("reference.")) << choices[0].kernel;
}

TEST(Dispatch, ViewsShareStorage) {
  const Tensor x = rand({2, 3});
  const Tensor y = op::Transpose(x, {{"perm", {1, 0}}});
  EXPECT_EQ(y.storage(), x.storage());
  EXPECT_EQ(y.shape(), (Shape{3, 2}));
}

TEST(Dispatch, ComputesInPlaceAndCountsTheChange) {
  Tensor parameter = Tensor::ones({3});
  const Tensor gradient = Tensor::full({3}, 2), lr = Tensor::scalar(0.5),
               step = Tensor::from<int64_t>({0}, Shape{});
  const uint32_t version = parameter.version();
  Tensor outputs[] = {parameter};
  const Tensor* inputs[] = {&lr, &step, &parameter, &gradient};
  apply_into(op::SgdStep, inputs, {}, outputs);
  EXPECT_EQ(parameter.to_vector<float>(), (std::vector<float>{0, 0, 0}));
  EXPECT_GT(parameter.version(), version);
}

TEST(Dispatch, ErrorsNameTheOperatorAndTheShapes) {
  try {
    op::Add(rand({2, 3}), rand({4}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(info(error.kind()).name, "usage");
    EXPECT_NE(std::string(error.what()).find("[2, 3]"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("Add:"), std::string::npos) << error.what();
  }
}

TEST(Dispatch, UnknownAttributesSuggestTheNearest) {
  try {
    op::Gemm(rand({2, 3}), rand({2, 3}), {{"transb", 1}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'transB'?"), std::string::npos)
        << error.what();
  }
}

TEST(Dispatch, SeveralThreadsMayCallAtOnce) {
  const Tensor a = rand({64, 64}), b = rand({64, 64});
  const std::vector<float> expected = op::MatMul(a, b).to_vector<float>();
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i)
        if (op::MatMul(a, b).to_vector<float>() != expected) ++wrong;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Random, SameSeedSameValues) {
  manual_seed(5);
  const auto first = randn({100}).to_vector<float>();
  const Generator::State place = random_state();
  const auto second = randn({100}).to_vector<float>();
  EXPECT_NE(first, second);
  set_random_state(place);
  EXPECT_EQ(randn({100}).to_vector<float>(), second);
  manual_seed(5);
  EXPECT_EQ(randn({100}).to_vector<float>(), first);
}

TEST(Random, PermutationHoldsEveryNumberOnce) {
  auto order = randperm(50).to_vector<int64_t>();
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 50; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

}  // namespace

}  // namespace tenon
