// What users rely on from autograd beyond each operator's own gradient (tests/all_ops has those).
#include "autograd/autograd.h"

#include <gtest/gtest.h>

#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"

namespace tenon {

namespace {

Tensor leaf(std::initializer_list<float> values) {
  return Tensor::from<float>(values, {static_cast<int64_t>(values.size())}).requires_grad_();
}
std::vector<float> values(const Tensor& tensor) { return tensor.to_vector<float>(); }

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(info(error.kind()).name, "usage");
    return error.what();
  }
  return "no error";
}

TEST(Autograd, AccumulatesIntoLeaves) {
  Tensor w = leaf({1, 2, 3});
  (w * w).sum().backward();
  EXPECT_EQ(values(w.grad()), (std::vector<float>{2, 4, 6}));
  (w * 3.0).sum().backward();
  EXPECT_EQ(values(w.grad()), (std::vector<float>{5, 7, 9}));
  w.set_grad({});
  EXPECT_FALSE(w.grad().defined());
}

TEST(Autograd, AddsUpTensorsThatAreUsedTwice) {
  Tensor x = leaf({2});
  const Tensor y = x * x;
  (y + y * x).sum().backward();  // x^2 + x^3
  EXPECT_EQ(values(x.grad()), (std::vector<float>{4 + 12}));
}

TEST(Autograd, RecordsNothingUnderNoGrad) {
  Tensor x = leaf({1});
  const NoGrad no_grad;
  EXPECT_FALSE((x * x).requires_grad());
}

TEST(Autograd, DetachCutsTheHistory) {
  Tensor x = leaf({3});
  const Tensor cut = (x * x).detach();
  EXPECT_FALSE(cut.requires_grad());
  (cut * x).sum().backward();
  EXPECT_EQ(values(x.grad()), (std::vector<float>{9}));
}

TEST(Autograd, DifferentiatesTwiceAndThrice) {
  Tensor x = leaf({2});
  const Tensor y = x * x * x * x;
  const Tensor first = autograd::grad({y}, {x}, {}, {.create_graph = true})[0];
  const Tensor second = autograd::grad({first}, {x}, {}, {.create_graph = true})[0];
  const Tensor third = autograd::grad({second}, {x})[0];
  EXPECT_FLOAT_EQ(first.item<float>(), 32);
  EXPECT_FLOAT_EQ(second.item<float>(), 48);
  EXPECT_FLOAT_EQ(third.item<float>(), 48);
}

TEST(Autograd, NoticesInPlaceChangesOfSavedTensors) {
  Tensor x = leaf({1, 2});
  Tensor y = x * 2.0;
  const Tensor z = y * y;
  {
    const NoGrad no_grad;
    y.fill(7);
  }
  const std::string message = message_of([&] { z.sum().backward(); });
  EXPECT_NE(message.find("changed in place"), std::string::npos) << message;
  EXPECT_NE(message.find("Mul"), std::string::npos) << message;
}

TEST(Autograd, AllowsInPlaceChangesOfTensorsThatNobodySaved) {
  Tensor x = leaf({1, 2});
  Tensor y = x + 1.0;  // Add saves nothing
  const Tensor z = y + y;
  {
    const NoGrad no_grad;
    y.fill(7);
  }
  z.sum().backward();
  EXPECT_EQ(values(x.grad()), (std::vector<float>{2, 2}));
}

TEST(Autograd, FreesSavedTensorsUnlessTold) {
  Tensor x = leaf({3});
  const Tensor y = (x * x).sum();
  y.backward();
  EXPECT_NE(message_of([&] { y.backward(); }).find("retain_graph"), std::string::npos);
  x.set_grad({});
  const Tensor z = (x * x).sum();
  autograd::backward({z}, {}, {.retain_graph = true});
  z.backward();
  EXPECT_EQ(values(x.grad()), (std::vector<float>{12}));
}

TEST(Autograd, RunsHooksAndTakesWhatTheyReturn) {
  Tensor x = leaf({1, 1});
  const Tensor y = x * 2.0;
  int calls = 0;
  autograd::register_hook(y, [&](const Tensor& gradient) {
    ++calls;
    return gradient * 10.0;
  });
  auto removed = autograd::register_hook(x, [&](const Tensor&) {
    ++calls;
    return Tensor();
  });
  removed.remove();
  y.sum().backward();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(values(x.grad()), (std::vector<float>{20, 20}));
}

TEST(Autograd, ExplainsWhatIsMissing) {
  Tensor x = leaf({1, 2});
  EXPECT_NE(message_of([&] { (x * x).backward(); }).find("reduce it to one element"),
            std::string::npos);
  EXPECT_NE(message_of([&] { Tensor::ones({1}).backward(); }).find("no history"),
            std::string::npos);
  Tensor other = leaf({1});
  EXPECT_NE(message_of([&] { autograd::grad({(x * x).sum()}, {other}); }).find("do not depend"),
            std::string::npos);
  EXPECT_NE(message_of([&] { (x * x).sum().backward(Tensor::ones({3})); }).find("they must match"),
            std::string::npos);
  Tensor integers = Tensor::arange(3);
  EXPECT_NE(message_of([&] { integers.requires_grad_(); }).find("only floats"), std::string::npos);
}

TEST(Autograd, StopsAtWhatHasNoGradient) {
  Tensor x = leaf({1, -1});
  EXPECT_FALSE(op::Greater(x, Tensor::scalar(0)).requires_grad());
}

TEST(Autograd, ReleasesLongChainsWithoutRecursion) {
  Tensor x = leaf({1});
  Tensor y = x;
  for (int i = 0; i < 200'000; ++i) y = y + 0.0;
  y = Tensor();  // would overflow the stack if nodes released each other recursively
  SUCCEED();
}

TEST(Autograd, WalksLongChains) {
  Tensor x = leaf({1});
  Tensor y = x;
  for (int i = 0; i < 50'000; ++i) y = y + 0.0;
  y.backward();
  EXPECT_EQ(values(x.grad()), (std::vector<float>{1}));
}

TEST(Autograd, GradOfViewsReachesTheWhole) {
  Tensor x = leaf({1, 2, 3, 4});
  const Tensor square = x.view({2, 2});
  (square.t() * Tensor::from<float>({1, 10, 100, 1000}, {2, 2})).sum().backward();
  EXPECT_EQ(values(x.grad()), (std::vector<float>{1, 100, 10, 1000}));
}

}  // namespace

}  // namespace tenon
