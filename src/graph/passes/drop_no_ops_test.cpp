// Nodes that change nothing go; those that look like it stay.
#include "graph/passes/pass_testing.h"
#include "ops/image/catalog.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/random.h"

namespace tenon::graph {

namespace {

const char* const kPass = "drop_no_ops";

// The operator stands between two others, so that it can go altogether.
int left(const Dims& dims, const Tensor& x, const OpDef& op,
         const std::function<Tensor(const Tensor&)>& call) {
  const Graph g = of_one(dims, [&](const Tensor& in) { return op::Neg(call(op::Neg(in))); });
  return count(checked(g, kPass, {x}), op);
}

Tensor floats(std::initializer_list<float> list) {
  return Tensor::from<float>(list, {static_cast<int64_t>(list.size())});
}

TEST(DropNoOps, Shapes) {
  const Dim n = Dim::symbol("n");
  const Tensor x = randn({2, 1, 3});
  const Dims dims{n, 1, 3};
  EXPECT_EQ(left(dims, x, op::Reshape,
                 [](const Tensor& t) {
                   return op::Reshape(t, Tensor::ints({0, 1, -1}));
                 }),
            0);
  EXPECT_EQ(left(dims, x, op::Expand,
                 [](const Tensor& t) {
                   return op::Expand(t, Tensor::ints({1, 3}));
                 }),
            0);
  EXPECT_EQ(left(dims, x, op::Expand,
                 [](const Tensor& t) {
                   return op::Expand(t, Tensor::ints({2, 3}));
                 }),
            1);
  EXPECT_EQ(left(dims, x, op::Tile,
                 [](const Tensor& t) {
                   return op::Tile(t, Tensor::ints({1, 1, 1}));
                 }),
            0);
  EXPECT_EQ(left(dims, x, op::Tile,
                 [](const Tensor& t) {
                   return op::Tile(t, Tensor::ints({2, 1, 1}));
                 }),
            1);
  EXPECT_EQ(left(dims, x, op::Transpose,
                 [](const Tensor& t) {
                   return op::Transpose(t, {{"perm", {0, 1, 2}}});
                 }),
            0);
  EXPECT_EQ(left(dims, x, op::Concat,
                 [](const Tensor& t) {
                   return op::Concat.all({t}, {{"axis", 1}})[0];
                 }),
            0);
}

TEST(DropNoOps, Slice) {
  const Dims dims{Dim::symbol("n"), 4};
  const Tensor x = randn({2, 4});
  const auto slice = [](int64_t start, int64_t end, int64_t step) {
    return [=](const Tensor& t) {
      return op::Slice.all({t, Tensor::ints({start}), Tensor::ints({end}), Tensor::ints({1}),
                            Tensor::ints({step})})[0];
    };
  };
  EXPECT_EQ(left(dims, x, op::Slice, slice(0, 99, 1)), 0);
  EXPECT_EQ(left(dims, x, op::Slice, slice(1, 99, 1)), 1);
  EXPECT_EQ(left(dims, x, op::Slice, slice(-1, -99, -1)), 1);  // the same size, backwards
}

TEST(DropNoOps, PadShifts) {
  const Tensor x = randn({2, 3});
  const auto pad = [](std::initializer_list<int64_t> pads) {
    return [list = std::vector<int64_t>(pads)](const Tensor& t) {
      return op::Pad(t, Tensor::ints(list));
    };
  };
  EXPECT_EQ(left({2, 3}, x, op::Pad, pad({0, 0, 0, 0})), 0);
  EXPECT_EQ(left({2, 3}, x, op::Pad, pad({0, 1, 0, -1})), 1);
}

TEST(DropNoOps, Casts) {
  const Tensor x = randn({2});
  const auto cast = [](DType type) {
    return [=](const Tensor& t) {
      return op::Cast(op::Cast(t, {{"to", static_cast<int64_t>(type)}}),
                      {{"to", static_cast<int64_t>(DType::f32)}});
    };
  };
  EXPECT_EQ(left({2}, x, op::Cast, cast(DType::f32)), 0);
  EXPECT_EQ(left({2}, x, op::Cast, cast(DType::i32)), 2);
}

TEST(DropNoOps, Dropout) {
  const Tensor x = randn({2, 3});
  const auto dropout = [](const Tensor& ratio, const Tensor& mode) {
    return [=](const Tensor& t) { return op::Dropout.all({t, ratio, mode})[0]; };
  };
  const Tensor half = Tensor::scalar(0.5);
  EXPECT_EQ(left({2, 3}, x, op::Dropout, dropout(half, Tensor())), 0);
  EXPECT_EQ(left({2, 3}, x, op::Dropout, dropout(half, Tensor::full({}, 0, DType::boolean))), 0);
  EXPECT_EQ(
      left({2, 3}, x, op::Dropout, dropout(Tensor::scalar(0), Tensor::full({}, 1, DType::boolean))),
      0);
  const Graph training = of_one({2, 3}, [&](const Tensor& t) {
    return op::Dropout.all({t, half, Tensor::full({}, 1, DType::boolean)})[0];
  });
  EXPECT_EQ(count(with_passes(training, {kPass}), op::Dropout), 1);
  const Graph masked = capture(
      [&](const TensorList& t) {
        return op::Dropout.all({t[0], half}, {}, 2);
      },
      {{"x", DType::f32, {2, 3}}});
  EXPECT_EQ(count(checked(masked, kPass, {x}), op::Dropout), 1);
}

TEST(DropNoOps, Resize) {
  const Tensor x = randn({1, 2, 4, 4});
  const Dims dims{1, 2, Dim::symbol("h"), 4};
  const auto resize = [](const Tensor& scales, const char* mode) {
    return [=](const Tensor& t) {
      return op::Resize.all({t, Tensor(), scales},
                            {{"mode", "linear"}, {"coordinate_transformation_mode", mode}})[0];
    };
  };
  EXPECT_EQ(left(dims, x, op::Resize, resize(floats({1, 1, 1, 1}), "half_pixel")), 0);
  EXPECT_EQ(left(dims, x, op::Resize, resize(floats({1, 1, 1, 1}), "tf_half_pixel_for_nn")), 1);
  // The same size, but every place is shifted.
  EXPECT_EQ(left({1, 2, 4, 4}, x, op::Resize, resize(floats({1, 1, 1, 1.1F}), "asymmetric")), 1);
}

TEST(DropNoOps, Pools) {
  const Tensor x = randn({2, 3, 1, 1});
  const Dims dims{Dim::symbol("n"), 3, 1, 1};
  const auto pool = [](const OpDef& op) {
    return [&](const Tensor& t) { return op(t, {{"kernel_shape", {1, 1}}}); };
  };
  EXPECT_EQ(left(dims, x, op::MaxPool, pool(op::MaxPool)), 0);
  EXPECT_EQ(left(dims, x, op::AveragePool, pool(op::AveragePool)), 0);
  EXPECT_EQ(left(dims, x, op::GlobalAveragePool,
                 [](const Tensor& t) { return op::GlobalAveragePool(t); }),
            0);
  EXPECT_EQ(left({2, 3, 1, 2}, randn({2, 3, 1, 2}), op::GlobalAveragePool,
                 [](const Tensor& t) { return op::GlobalAveragePool(t); }),
            1);
}

TEST(DropNoOps, Reductions) {
  const Tensor x = randn({2, 1, 3});
  const Dims dims{Dim::symbol("n"), 1, 3};
  const auto mean = [](int64_t axis, int keep) {
    return [=](const Tensor& t) {
      return op::ReduceMean(t, Tensor::ints({axis}), {{"keepdims", keep}});
    };
  };
  EXPECT_EQ(left(dims, x, op::ReduceMean, mean(1, 1)), 0);
  EXPECT_EQ(left(dims, x, op::ReduceMean, mean(-2, 0)), 0);
  EXPECT_EQ(left(dims, x, op::Squeeze, mean(-2, 0)), 1);
  EXPECT_EQ(left(dims, x, op::ReduceMean, mean(0, 1)), 1);  // n may be more than 1
  EXPECT_EQ(left(dims, x, op::ReduceSum,
                 [](const Tensor& t) {
                   return op::ReduceSum(t, {{"noop_with_empty_axes", 1}});
                 }),
            0);
}

TEST(DropNoOps, WhereOfConstants) {
  const Tensor x = randn({2, 3});
  const auto where = [](const Tensor& condition) {
    return [=](const Tensor& t) { return op::Where(condition, t, Tensor::zeros({3})); };
  };
  const Tensor mixed = op::Greater(Tensor::from<float>({1, -1, 1}, {3}), Tensor::zeros({1}));
  EXPECT_EQ(left({2, 3}, x, op::Where, where(Tensor::full({3}, 1, DType::boolean))), 0);
  EXPECT_EQ(left({2, 3}, x, op::Where, where(mixed)), 1);
  // The other one would have to be expanded.
  EXPECT_EQ(left({2, 3}, x, op::Where, where(Tensor::full({3}, 0, DType::boolean))), 1);
}

TEST(DropNoOps, PartsWithoutElements) {
  const Tensor x = randn({2, 3});
  const Tensor none = Tensor::zeros({2, 0});
  const auto concat = [&](int64_t axis, const Tensor& other) {
    return [=](const Tensor& t) { return op::Concat.all({other, t}, {{"axis", axis}})[0]; };
  };
  EXPECT_EQ(left({2, 3}, x, op::Concat, concat(1, none)), 0);
  EXPECT_EQ(left({2, 3}, x, op::Concat, concat(1, Tensor::zeros({2, 1}))), 1);
}

TEST(DropNoOps, ExpandBeforeBroadcasting) {
  const Dim n = Dim::symbol("n");
  const auto graph = [&](const Dims& other) {
    return capture(
        [](const TensorList& x) {
          return TensorList{op::Add(op::Expand(x[0], op::Shape(x[1])), x[1])};
        },
        {{"a", DType::f32, {1, 3}}, {"b", DType::f32, other}});
  };
  EXPECT_EQ(count(checked(graph({n, 3}), kPass, {randn({1, 3}), randn({4, 3})}), op::Expand), 0);
  // Alone it would not be broadcast so far.
  const Graph needed = of_one({1, 3}, [](const Tensor& x) {
    return op::Add(op::Expand(x, Tensor::ints({4, 3})), Tensor::ones({3}));
  });
  EXPECT_EQ(count(checked(needed, kPass, {randn({1, 3})}), op::Expand), 1);
}

TEST(DropNoOps, OutputsKeepTheirNames) {
  const Graph g = of_one({2}, [](const Tensor& x) { return op::Sum.all({x})[0]; });
  const Graph after = checked(g, kPass, {randn({2})});
  EXPECT_EQ(count(after, op::Sum), 0);
  EXPECT_EQ(after.value(after.inputs[0]).name, "x");
}

}  // namespace

}  // namespace tenon::graph
