// Transposes that undo each other, through every operator they may pass.
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

const char* const kPass = "cancel_transposes";
const Shape kToLast{0, 2, 3, 1}, kToFirst{0, 3, 1, 2};

Tensor to_last(const Tensor& x) { return op::Transpose(x, {{"perm", kToLast}}); }
Tensor to_first(const Tensor& x) { return op::Transpose(x, {{"perm", kToFirst}}); }

Dims image_dims() { return {Dim::symbol("n"), 3, Dim::symbol("h"), Dim::symbol("w")}; }
Tensor image() { return randn({2, 3, 4, 5}); }

// `f` works on [n, h, w, 3] between two transposes; what is left of them.
int left(const std::function<Tensor(const Tensor&)>& f, const Dims& dims = image_dims(),
         const Tensor& x = image()) {
  const Graph g = of_one(dims, [&](const Tensor& t) { return to_first(f(to_last(op::Neg(t)))); });
  return count(checked(g, kPass, {x}, 1e-6), op::Transpose);
}

TEST(CancelTransposes, TwoInARow) {
  EXPECT_EQ(left([](const Tensor& t) { return t; }), 0);
  const Graph twice = of_one({2, 3, 4}, [](const Tensor& t) {
    return op::Transpose(op::Transpose(t, {{"perm", {1, 0, 2}}}), {{"perm", {0, 2, 1}}});
  });
  const Graph after = checked(twice, kPass, {randn({2, 3, 4})});
  EXPECT_EQ(count(after, op::Transpose), 1);
  // Reversed axes need no perm.
  const Graph reversed =
      of_one({2, 3, 4}, [](const Tensor& t) { return op::Exp(op::Transpose(op::Transpose(t))); });
  EXPECT_EQ(count(checked(reversed, kPass, {randn({2, 3, 4})}), op::Transpose), 0);
}

TEST(CancelTransposes, KeepsTheFirstForOtherReaders) {
  const Graph g = capture(
      [](const TensorList& x) {
        const Tensor a = op::Transpose(x[0], {{"perm", {1, 0, 2}}});
        return TensorList{op::Exp(a), op::Transpose(a, {{"perm", {0, 2, 1}}})};
      },
      {{"x", DType::f32, {2, 3, 4}}});
  const Graph after = checked(g, kPass, {randn({2, 3, 4})});
  EXPECT_EQ(count(after, op::Transpose), 2);
}

TEST(CancelTransposes, Elementwise) {
  EXPECT_EQ(left([](const Tensor& t) { return op::Relu(t); }), 0);
  EXPECT_EQ(left([](const Tensor& t) { return op::Clip(t, Tensor::scalar(0), Tensor::scalar(1)); }),
            0);
  EXPECT_EQ(left([](const Tensor& t) { return op::Exp(t) * randn({3}); }), 0);
  EXPECT_EQ(left([](const Tensor& t) { return randn({1, 1, 1, 3}) - t; }), 0);
  EXPECT_EQ(left([](const Tensor& t) { return t + randn({5, 1}); }), 0);
  EXPECT_EQ(left([](const Tensor& t) { return op::Max(t, Tensor::full({}, 0.5)); }), 0);
  EXPECT_EQ(left([](const Tensor& t) { return op::PRelu(t, randn({3})); }), 0);
  EXPECT_EQ(left([](const Tensor& t) {
              return op::Where(op::Greater(t, Tensor::zeros({1})), t, op::Exp(t));
            }),
            0);
}

TEST(CancelTransposes, AxesAreRenumbered) {
  EXPECT_EQ(left([](const Tensor& t) { return op::Softmax(t); }), 0);
  EXPECT_EQ(left([](const Tensor& t) { return op::LogSoftmax(t, {{"axis", 1}}); }), 0);
  EXPECT_EQ(left([](const Tensor& t) {
              return op::Concat.all({t, op::Exp(t)}, {{"axis", -1}})[0];
            }),
            0);
  EXPECT_EQ(left([](const Tensor& t) {
              const TensorList parts = op::Split.all({t, Tensor::ints({1, 2})}, {{"axis", 3}}, 2);
              return op::Concat.all({parts[1], parts[0]}, {{"axis", 3}})[0];
            }),
            0);
  EXPECT_EQ(left([](const Tensor& t) {
              return op::Pad(t, Tensor::ints({0, 1, 0, 0, 0, 2, 3, 0}));
            }),
            0);
  EXPECT_EQ(left([](const Tensor& t) {
              return op::Pad(t, Tensor::ints({1, 2}), Tensor(), Tensor::ints({-1}));
            }),
            0);
  EXPECT_EQ(left([](const Tensor& t) {
              return op::Slice(t, Tensor::ints({0, 1}), Tensor::ints({9, 3}));
            }),
            0);
  EXPECT_EQ(left([](const Tensor& t) {
              return op::Slice(t, Tensor::ints({1}), Tensor::ints({3}), Tensor::ints({-1}));
            }),
            0);
  EXPECT_EQ(left([](const Tensor& t) { return op::ReduceMean(t, Tensor::ints({1, -2})); }), 0);
  EXPECT_EQ(left([](const Tensor& t) { return op::ArgMax(t, {{"axis", 3}}); }), 0);
  EXPECT_EQ(left([](const Tensor& t) {
              return op::Gather(t, Tensor::ints({2, 0}), {{"axis", 3}});
            }),
            0);
  EXPECT_EQ(left([](const Tensor& t) { return op::Tile(t, Tensor::ints({1, 2, 1, 3})); }), 0);
  EXPECT_EQ(left(
                [](const Tensor& t) {
                  const Tensor scales = Tensor::from<float>({1, 2, 3, 1}, {4});
                  return op::Resize.all({t, Tensor(), scales}, {{"mode", "nearest"}})[0];
                },
                {2, 3, 4, 5}),
            0);
}

TEST(CancelTransposes, AxesComeAndGo) {
  // Squeeze and Unsqueeze change what the inverse looks like.
  const Graph g = of_one(image_dims(), [](const Tensor& t) {
    const Tensor wide = op::Unsqueeze(to_last(op::Neg(t)), Tensor::ints({1}));
    return op::Transpose(op::Exp(wide), {{"perm", {0, 1, 4, 2, 3}}});
  });
  EXPECT_EQ(count(checked(g, kPass, {image()}), op::Transpose), 0);
  // The mean over height and width of [n, h, w, c] is that of [n, c, h, w], as Keras exports it.
  const Graph mean = of_one(image_dims(), [](const Tensor& t) {
    return op::ReduceMean(op::Relu(to_last(t)), Tensor::ints({1, 2}), {{"keepdims", 0}});
  });
  EXPECT_EQ(count(checked(mean, kPass, {image()}, 1e-6), op::Transpose), 0);
  const Graph places = of_one(image_dims(), [](const Tensor& t) {
    return op::ArgMax(to_last(t), {{"axis", 3}, {"keepdims", 0}});
  });
  EXPECT_EQ(count(checked(places, kPass, {image()}), op::Transpose), 0);
  const Graph first = of_one(image_dims(), [](const Tensor& t) {
    return op::Gather(to_last(t), Tensor::full({}, 1, DType::i64), {{"axis", 3}});
  });
  EXPECT_EQ(count(checked(first, kPass, {image()}), op::Transpose), 0);
}

TEST(CancelTransposes, ConvolutionsOfChannelsLastModels) {
  manual_seed(5);
  const Tensor w = randn({3, 3, 3, 3});
  const auto conv = [&](const Tensor& x) {
    return to_last(op::Conv(to_first(x), w, {{"pads", {1, 1, 1, 1}}}));
  };
  const Graph g = of_one({Dim::symbol("n"), 6, 6, 3}, [&](const Tensor& x) {
    Tensor y = op::Relu(conv(x) + randn({3}));
    for (int block = 0; block < 2; ++block) {
      const Tensor inner = op::Relu(conv(y) * randn({3}));
      y = op::Relu(conv(inner) + y);
    }
    return op::ReduceMean(y, Tensor::ints({1, 2}), {{"keepdims", 0}});
  });
  EXPECT_EQ(count(g, op::Transpose), 10);
  const Graph after = checked(g, kPass, {randn({2, 6, 6, 3})}, 1e-4);
  EXPECT_EQ(count(after, op::Transpose), 1) << after.str();
}

TEST(CancelTransposes, SqueezeAndExcite) {
  // The factor [n, 1, 1, 3] is made without a transpose: a Reshape puts it in order.
  const Graph g = of_one(image_dims(), [](const Tensor& x) {
    const Tensor last = to_last(x);
    const Tensor mean = op::ReduceMean(last, Tensor::ints({1, 2}), {{"keepdims", 0}});
    const Tensor factor = op::Sigmoid(op::MatMul(mean, Tensor::ones({3, 3})));
    return to_first(last * op::Reshape(factor, Tensor::ints({-1, 1, 1, 3})));
  });
  EXPECT_EQ(count(checked(g, kPass, {image()}, 1e-5), op::Transpose), 0);
}

TEST(CancelTransposes, TwoBecomeOne) {
  const Graph g = capture(
      [](const TensorList& x) { return TensorList{op::Exp(to_last(x[0]) + to_last(x[1]))}; },
      {{"a", DType::f32, image_dims()}, {"b", DType::f32, image_dims()}});
  EXPECT_EQ(count(checked(g, kPass, {image(), image()}), op::Transpose), 1);
}

TEST(CancelTransposes, NothingIsGained) {
  // No inverse follows: the transposes stay where they are.
  const Graph alone = of_one(image_dims(), [](const Tensor& t) { return op::Exp(to_last(t)); });
  const Graph after = checked(alone, kPass, {image()});
  EXPECT_EQ(after.node(after.value(after.outputs[0]).producer).op, &op::Exp);
  // The other operand is in the other order.
  const Graph mixed =
      capture([](const TensorList& x) { return TensorList{to_first(to_last(x[0]) + x[1])}; },
              {{"a", DType::f32, image_dims()},
               {"b", DType::f32, {Dim::symbol("n"), Dim::symbol("h"), Dim::symbol("w"), 3}}});
  EXPECT_EQ(count(checked(mixed, kPass, {image(), randn({2, 4, 5, 3})}), op::Transpose), 2);
  // Not every operator may be passed.
  EXPECT_EQ(left([](const Tensor& t) { return op::Reshape(op::Flatten(t), op::Shape(t)); }), 2);
}

TEST(CancelTransposes, AttentionStays) {
  const auto heads = [](const Tensor& x) {
    return op::Transpose(op::Reshape(x, Tensor::ints({0, 0, 2, 4})), {{"perm", {0, 2, 1, 3}}});
  };
  const Graph g = of_one({Dim::symbol("n"), Dim::symbol("s"), 8}, [&](const Tensor& x) {
    const Tensor key = op::Transpose(heads(op::Exp(x)), {{"perm", {0, 1, 3, 2}}});
    const Tensor scores = op::Softmax(op::MatMul(heads(x) * 0.5, key));
    const Tensor mixed = op::MatMul(scores, heads(op::Neg(x)));
    return op::Reshape(op::Transpose(mixed, {{"perm", {0, 2, 1, 3}}}), Tensor::ints({0, 0, 8}));
  });
  const Graph after = checked(g, kPass, {randn({2, 3, 8})}, 1e-5);
  EXPECT_EQ(count(after, op::Transpose), 4);  // those of the key are one
}

TEST(CancelTransposes, OnlyAxesOfSizeOneMove) {
  const Graph g =
      of_one({Dim::symbol("n"), 3, 1, 1}, [](const Tensor& t) { return op::Exp(to_last(t)); });
  const Graph after = checked(g, kPass, {randn({2, 3, 1, 1})});
  EXPECT_EQ(count(after, op::Transpose), 0);
  EXPECT_EQ(count(after, op::Reshape), 1);
  const Graph moves =
      of_one({Dim::symbol("n"), 3, 1, 2}, [](const Tensor& t) { return op::Exp(to_last(t)); });
  EXPECT_EQ(count(checked(moves, kPass, {randn({2, 3, 1, 2})}), op::Transpose), 1);
}

TEST(CancelTransposes, OutputsBetweenKeepTheirOrder) {
  const Graph g = capture(
      [](const TensorList& x) {
        const Tensor y = op::Relu(to_last(x[0]));
        return TensorList{y, to_first(op::Exp(y))};
      },
      {{"x", DType::f32, image_dims()}}, {"last", "first"});
  const Graph after = checked(g, kPass, {image()});
  EXPECT_EQ(count(after, op::Transpose), 1) << after.str();
}

}  // namespace

}  // namespace tenon::graph
