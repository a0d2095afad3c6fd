// Gradients of shape operators and reductions in graphs whose sizes are symbols: one graph must be
// right for every size. The generated tests differentiate graphs of fixed sizes.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "autograd/autograd.h"
#include "graph/capture.h"
#include "graph/differentiate.h"
#include "graph/interpreter.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon {

namespace {

using Function = std::function<Tensor(const Tensor&)>;

// Numbers that differ, none of them 0.
Tensor ladder(const Shape& shape, DType type) {
  Tensor tensor = Tensor::empty(shape, type);
  tensor.copy_from(Tensor::arange(shape.numel()).reshape(shape));
  return (tensor * 0.37 + 0.5).detach();
}

// f(x * w) squared and summed, differentiated by w: in a graph with symbols, and eagerly.
void check(const Function& f) {
  const Tensor w = ladder({4}, DType::f64);
  const auto loss_of = [&](const Tensor& x, const Tensor& weight) {
    const Tensor y = f(x * weight);
    return (y * y).sum();
  };
  const Tensor parameter = w.clone().requires_grad_();
  const graph::Graph forward = graph::capture(
      [&](const TensorList& inputs) { return TensorList{loss_of(inputs[0], parameter)}; },
      {{"x", DType::f64, {Dim::symbol("batch"), Dim::symbol("seq"), 4}}}, {"loss"});
  const graph::Graph both = graph::differentiate(forward);
  for (const Shape& shape : {Shape{2, 3, 4}, Shape{1, 1, 4}, Shape{3, 2, 4}, Shape{0, 2, 4}}) {
    SCOPED_TRACE(shape.str());
    const Tensor x = ladder(shape, DType::f64);
    const Tensor leaf = w.clone().requires_grad_();
    const Tensor expected = autograd::grad({loss_of(x, leaf)}, {leaf})[0];
    const Tensor actual = graph::Interpreter(both).run({x, w})[1];
    ASSERT_EQ(actual.shape(), expected.shape());
    const auto a = actual.to_vector<double>(), e = expected.to_vector<double>();
    for (size_t i = 0; i < e.size(); ++i) EXPECT_NEAR(a[i], e[i], 1e-9 * (1 + std::abs(e[i])));
  }
}

Tensor ints(std::initializer_list<int64_t> values) { return Tensor::ints(values); }

TEST(SymbolicGradients, MergedAxes) {
  check([](const Tensor& x) { return op::Reshape(x, ints({-1, 4})); });
  check([](const Tensor& x) { return op::Reshape(x, ints({0, 0, 2, -1})); });
  check([](const Tensor& x) { return op::Flatten(x); });
  check([](const Tensor& x) { return op::Transpose(x, {{"perm", {2, 0, 1}}}); });
  check([](const Tensor& x) { return op::Unsqueeze(x, ints({1, -1})); });
}

TEST(SymbolicGradients, Pieces) {
  check([](const Tensor& x) { return op::Slice(x, ints({0}), ints({-1}), ints({1})); });
  check([](const Tensor& x) {
    return op::Slice.all({x, ints({-1}), ints({-9}), ints({2}), ints({-2})})[0];
  });
  check([](const Tensor& x) { return op::Concat.all({x, x * 2}, {{"axis", 1}})[0]; });
  check([](const Tensor& x) {
    const TensorList halves =
        op::Split.all({op::Concat.all({x, x * 2}, {{"axis", 0}})[0]}, {{"num_outputs", 2}}, 2);
    return halves[0] * 3 + halves[1];
  });
  check([](const Tensor& x) { return op::Split.all({x, ints({1, 3})}, {{"axis", 2}}, 1)[0]; });
  check([](const Tensor& x) { return op::Pad(x, ints({1, 0, 0, 2, 1, 0})); });
  check([](const Tensor& x) {
    return op::Pad(x, ints({2, 3}), Tensor(), ints({2}), {{"mode", "reflect"}});
  });
}

TEST(SymbolicGradients, Places) {
  check([](const Tensor& x) { return op::Gather(x, ints({3, 0, 3}), {{"axis", 2}}); });
  check([](const Tensor& x) { return op::Tile(x, ints({2, 1, 3})); });
  check([](const Tensor& x) { return op::Trilu(x); });
  check([](const Tensor& x) { return op::TopK.all({x, ints({2})}, Attrs(), 2)[0]; });
  check([](const Tensor& x) {
    return op::Compress(x, Tensor::from<bool>({true, false, true}, {3}), {{"axis", 2}});
  });
}

TEST(SymbolicGradients, Reductions) {
  check([](const Tensor& x) { return op::ReduceSum(x, ints({1}), {{"keepdims", 0}}); });
  check([](const Tensor& x) { return op::ReduceMean(x, ints({2})); });
  check([](const Tensor& x) { return op::ReduceProd(x, ints({-1}), {{"keepdims", 0}}); });
  check([](const Tensor& x) { return op::ReduceMax(x, ints({2}), {{"keepdims", 0}}); });
  check([](const Tensor& x) { return op::ReduceLogSumExp(x, ints({1, 2})); });
  check([](const Tensor& x) { return op::ReduceL2(x, ints({0}), {{"keepdims", 0}}); });
  check([](const Tensor& x) { return op::CumSum(x, ints({1}), {{"exclusive", 1}}); });
  check([](const Tensor& x) { return op::CumProd(x, ints({2}), {{"reverse", 1}}); });
}

TEST(SymbolicGradients, MeanOverASymbolicAxis) {
  const Function mean = [](const Tensor& x) {
    return op::ReduceMean(x, ints({1}), {{"keepdims", 0}});
  };
  check(mean);
}

}  // namespace

}  // namespace tenon
