// Operators on images inside graphs whose sizes are symbols: one graph, with its gradient, must be
// right for every size. The generated tests differentiate graphs of fixed sizes.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "autograd/autograd.h"
#include "graph/capture.h"
#include "graph/differentiate.h"
#include "graph/interpreter.h"
#include "ops/image/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon {

namespace {

using Function = std::function<Tensor(const Tensor&)>;

Tensor waves(const Shape& shape) {
  Tensor tensor = Tensor::empty(shape, DType::f64);
  for (int64_t i = 0; i < tensor.numel(); ++i)
    tensor.data<double>()[i] = std::sin(1.7 * static_cast<double>(i)) + 0.1;
  return tensor;
}

// f(x * w) squared and summed, differentiated by w: in a graph with symbols, and eagerly.
void check(const Function& f) {
  const auto loss_of = [&](const Tensor& x, const Tensor& w) {
    const Tensor y = f(x * w);
    return (y * y).sum();
  };
  const Tensor w = waves({2, 1, 1});
  const Tensor parameter = w.clone().requires_grad_();
  const graph::Graph forward = graph::capture(
      [&](const TensorList& inputs) { return TensorList{loss_of(inputs[0], parameter)}; },
      {{"x", DType::f64, {Dim::symbol("batch"), 2, Dim::symbol("height"), Dim::symbol("width")}}},
      {"loss"});
  const graph::Graph both = graph::differentiate(forward);
  for (const Shape& shape : {Shape{2, 2, 3, 4}, Shape{1, 2, 5, 2}}) {
    SCOPED_TRACE(shape.str());
    const Tensor x = waves(shape);
    const Tensor leaf = w.clone().requires_grad_();
    const Tensor expected = autograd::grad({loss_of(x, leaf)}, {leaf})[0];
    const Tensor actual = graph::Interpreter(both).run({x, w})[1];
    ASSERT_EQ(actual.shape(), expected.shape());
    const auto a = actual.to_vector<double>(), e = expected.to_vector<double>();
    for (size_t i = 0; i < e.size(); ++i) EXPECT_NEAR(a[i], e[i], 1e-9 * (1 + std::abs(e[i])));
  }
}

TEST(SymbolicImages, Resize) {
  const Tensor twice = Tensor::from<float>({1, 1, 2, 2}, {4});
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    check([&](const Tensor& x) { return op::Resize(x, Tensor(), twice, {{"mode", mode}}); });
    check([&](const Tensor& x) {
      return op::Resize(x, Tensor(), Tensor(), Tensor::ints({3, 3}),
                        {{"mode", mode}, {"axes", {2, 3}}});
    });
  }
}

TEST(SymbolicImages, GridSample) {
  // The grid has the image's batch.
  check([](const Tensor& x) {
    const Tensor batch = op::Gather(op::Shape(x), Tensor::ints({0}));
    const Tensor shape = op::Concat.all({batch, Tensor::ints({2, 3, 2})}, {{"axis", 0}})[0];
    const Tensor grid = op::Expand(waves({1, 2, 3, 2}), shape);
    return op::GridSample(x, grid, {{"mode", "cubic"}, {"padding_mode", "reflection"}});
  });
}

TEST(SymbolicImages, CenterCropPad) {
  check([](const Tensor& x) {
    return op::CenterCropPad(x, Tensor::ints({4, 3}), {{"axes", {2, 3}}});
  });
}

TEST(SymbolicImages, RoiAlign) {
  const Tensor rois = Tensor::from<double>({0.2, 0.3, 1.9, 2.2}, {1, 4});
  for (const char* mode : {"avg", "max"})
    check([&](const Tensor& x) {
      return op::RoiAlign(x, rois, Tensor::ints({0}),
                          {{"mode", mode}, {"output_height", 2}, {"output_width", 2}});
    });
}

}  // namespace

}  // namespace tenon
