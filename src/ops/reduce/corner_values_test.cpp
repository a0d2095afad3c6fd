// Zeros, equal elements, NaN and empty sets, which random samples do not hit: what reductions and
// their gradients make of them.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "autograd/autograd.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon {

namespace {

using Doubles = std::vector<double>;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

Tensor vector_of(std::initializer_list<double> values) {
  return Tensor::from<double>(values, {static_cast<int64_t>(values.size())});
}

Doubles gradient_of(const OpDef& op, const Tensor& x, const Tensor& second = {},
                    const Attrs& attrs = {}) {
  const Tensor leaf = x.clone().requires_grad_();
  const Tensor y = second.defined() ? op(leaf, second, attrs) : op(leaf, attrs);
  return autograd::grad({y.sum()}, {leaf})[0].to_vector<double>();
}

TEST(CornerValues, ProductsWithZeros) {
  EXPECT_EQ(gradient_of(op::ReduceProd, vector_of({2, 3, 5})), Doubles({15, 10, 6}));
  EXPECT_EQ(gradient_of(op::ReduceProd, vector_of({2, 0, 5})), Doubles({0, 10, 0}));
  EXPECT_EQ(gradient_of(op::ReduceProd, vector_of({0, 0, 5})), Doubles({0, 0, 0}));
  EXPECT_EQ(gradient_of(op::ReduceProd, Tensor::zeros({2, 0}, DType::f64), Tensor::ints({1})),
            Doubles());
}

TEST(CornerValues, SecondDerivativeOfAProductAtAZero) {
  // d2/dx0dx1 of x0 * x1 * x2 is x2, also where x0 is 0.
  const Tensor leaf = vector_of({0, 3, 5}).requires_grad_();
  const Tensor first = autograd::grad({op::ReduceProd(leaf, {{"keepdims", 0}})}, {leaf}, {},
                                      {.create_graph = true})[0];
  const Tensor second = op::Slice(first, Tensor::ints({1}), Tensor::ints({2}));
  EXPECT_EQ(autograd::grad({second.sum()}, {leaf})[0].to_vector<double>(), Doubles({5, 0, 0}));
}

TEST(CornerValues, RunningProductsWithZeros) {
  // y = [2, 0, 0]; dy0/dx = [1, 0, 0], dy1/dx = [0, 2, 0], dy2/dx = [0, 2 * 5, 2 * 0].
  EXPECT_EQ(gradient_of(op::CumProd, vector_of({2, 0, 5}), Tensor::ints({0})), Doubles({1, 12, 0}));
}

TEST(CornerValues, EqualExtremesShareTheGradient) {
  EXPECT_EQ(gradient_of(op::ReduceMax, vector_of({1, 4, 4, 0})), Doubles({0, 0.5, 0.5, 0}));
  EXPECT_EQ(gradient_of(op::ReduceMin, vector_of({1, 1, 1, 3})),
            Doubles({1.0 / 3, 1.0 / 3, 1.0 / 3, 0}));
}

TEST(CornerValues, TheNormOfZerosIsFlat) {
  EXPECT_EQ(gradient_of(op::ReduceL2, vector_of({0, 0})), Doubles({0, 0}));
}

TEST(CornerValues, NanWinsExtremesAndComesLastInOrder) {
  const Tensor x = vector_of({1, kNan, 3});
  EXPECT_TRUE(std::isnan(op::ReduceMax(x).item<double>()));
  EXPECT_TRUE(std::isnan(op::ReduceMin(x).item<double>()));
  EXPECT_EQ(op::ArgMax(x).item<int64_t>(), 1);
  EXPECT_EQ(op::ArgMin(x).item<int64_t>(), 1);
  EXPECT_EQ(op::TopK.all({x, Tensor::ints({3})}, {}, 2)[1].to_vector<int64_t>(),
            (std::vector<int64_t>{1, 2, 0}));
  EXPECT_EQ(op::TopK.all({x, Tensor::ints({3})}, {{"largest", 0}}, 2)[1].to_vector<int64_t>(),
            (std::vector<int64_t>{0, 2, 1}));
}

TEST(CornerValues, ReductionsOfNothing) {
  const Tensor none = Tensor::zeros({0}, DType::f64);
  EXPECT_EQ(op::ReduceSum(none).item<double>(), 0);
  EXPECT_EQ(op::ReduceProd(none).item<double>(), 1);
  EXPECT_EQ(op::ReduceMax(none).item<double>(), -kInf);
  EXPECT_EQ(op::ReduceMin(none).item<double>(), kInf);
  EXPECT_EQ(op::ReduceLogSum(none).item<double>(), -kInf);
  EXPECT_EQ(op::ReduceLogSumExp(none).item<double>(), -kInf);
  EXPECT_TRUE(std::isnan(op::ReduceMean(none).item<double>()));
  EXPECT_EQ(op::ReduceMax(Tensor::zeros({0}, DType::i8)).item<int64_t>(), -128);
  EXPECT_EQ(op::ReduceMin(Tensor::zeros({0}, DType::i8)).item<int64_t>(), 127);
  EXPECT_EQ(op::ReduceMin(Tensor::zeros({0}, DType::u64)).to_vector<uint64_t>()[0], ~uint64_t{0});
}

TEST(CornerValues, LogSumExpOfInfinities) {
  EXPECT_EQ(op::ReduceLogSumExp(vector_of({-kInf, 2})).item<double>(), 2);
  EXPECT_EQ(op::ReduceLogSumExp(vector_of({-kInf, -kInf})).item<double>(), -kInf);
  EXPECT_EQ(op::ReduceLogSumExp(vector_of({kInf, 2})).item<double>(), kInf);
}

}  // namespace

}  // namespace tenon
