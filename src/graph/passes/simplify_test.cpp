// Algebra: what may be rewritten, and where shapes, types or readers forbid it.
#include "graph/passes/pass_testing.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "runtime/random.h"

namespace tenon::graph {

namespace {

const char* const kPass = "simplify";

Graph simplified(const Dims& dims, const Tensor& x, const std::function<Tensor(const Tensor&)>& f,
                 double tolerance = 0) {
  return checked(of_one(dims, f, x.dtype()), kPass, {x}, tolerance);
}

TEST(Simplify, NeutralElements) {
  const Dim n = Dim::symbol("n");
  const Tensor x = randn({2, 3});
  const auto nodes = [&](const std::function<Tensor(const Tensor&)>& f) {
    return simplified({n, 3}, x, [&](const Tensor& t) { return op::Exp(f(op::Exp(t))); })
               .nodes()
               .size() -
           2;
  };
  EXPECT_EQ(nodes([](const Tensor& t) { return t * Tensor::ones({}); }), 0U);
  EXPECT_EQ(nodes([](const Tensor& t) { return Tensor::ones({1, 3}) * t; }), 0U);
  EXPECT_EQ(nodes([](const Tensor& t) { return Tensor::zeros({3}) + t; }), 0U);
  EXPECT_EQ(nodes([](const Tensor& t) { return t - Tensor::zeros({3}); }), 0U);
  EXPECT_EQ(nodes([](const Tensor& t) { return t / Tensor::ones({1}); }), 0U);
  // These change the shape, the value, or are constants on the wrong side.
  EXPECT_EQ(nodes([](const Tensor& t) { return t * Tensor::ones({1, 1, 1}); }), 1U);
  EXPECT_EQ(nodes([](const Tensor& t) { return t * Tensor::from<float>({1, 1, 2}, {3}); }), 1U);
  EXPECT_EQ(nodes([](const Tensor& t) { return Tensor::ones({}) / t; }), 1U);
}

TEST(Simplify, Negation) {
  const Tensor x = randn({2, 3});
  const auto neg = [&](const std::function<Tensor(const Tensor&)>& f) {
    return simplified({2, 3}, x, f);
  };
  EXPECT_EQ(count(neg([](const Tensor& t) { return t * Tensor::full({}, -1); }), op::Neg), 1);
  EXPECT_EQ(count(neg([](const Tensor& t) { return Tensor::zeros({}) - t; }), op::Neg), 1);
  EXPECT_EQ(neg([](const Tensor& t) { return op::Exp(-(-t)); }).nodes().size(), 1U);
  EXPECT_EQ(count(neg([](const Tensor& t) { return op::Exp(t) + (-t); }), op::Sub), 1);
  EXPECT_EQ(count(neg([](const Tensor& t) { return (-t) + op::Exp(t); }), op::Sub), 1);
  EXPECT_EQ(count(neg([](const Tensor& t) { return op::Exp(t) - (-t); }), op::Add), 1);
  EXPECT_EQ(count(neg([](const Tensor& t) { return op::Abs(-t); }), op::Neg), 0);
  // Another reader needs the negative: nothing is saved.
  const Graph shared = capture(
      [](const TensorList& in) {
        const Tensor minus = -in[0];
        return TensorList{op::Exp(in[0]) + minus, minus};
      },
      {{"x", DType::f32, {2, 3}}});
  EXPECT_EQ(count(checked(shared, kPass, {x}), op::Add), 1);
}

TEST(Simplify, RepeatedFunctions) {
  const Tensor x = randn({8});
  const auto nodes = [&](const OpDef& outer, const OpDef& inner) {
    return simplified({8}, x, [&](const Tensor& t) { return outer(inner(t)); }).nodes().size();
  };
  EXPECT_EQ(nodes(op::Relu, op::Relu), 1U);
  EXPECT_EQ(nodes(op::Relu, op::Abs), 1U);
  EXPECT_EQ(nodes(op::Round, op::Floor), 1U);
  EXPECT_EQ(nodes(op::Sign, op::Sign), 1U);
  EXPECT_EQ(nodes(op::Exp, op::Exp), 2U);
  EXPECT_EQ(nodes(op::Relu, op::Neg), 2U);
}

TEST(Simplify, Powers) {
  const Tensor x = op::Abs(randn({2, 3}));
  const auto power = [&](double y, const Shape& shape = {}) {
    return simplified(
        {2, 3}, x, [&](const Tensor& t) { return op::Pow(t, Tensor::full(shape, y)); }, 1e-5);
  };
  EXPECT_EQ(count(power(2), op::Mul), 1);
  EXPECT_EQ(count(power(0.5), op::Sqrt), 1);
  EXPECT_EQ(count(power(-1), op::Reciprocal), 1);
  EXPECT_EQ(count(power(1), op::Pow), 0);
  EXPECT_EQ(count(power(3), op::Pow), 1);
  EXPECT_EQ(count(power(2, {1, 1, 1}), op::Pow), 1);
}

TEST(Simplify, JoinsConstants) {
  const Tensor x = randn({2, 3});
  const Tensor row = Tensor::from<float>({1, 2, 3}, {3});
  const auto graph = [&](const std::function<Tensor(const Tensor&)>& f) {
    return simplified({2, 3}, x, f, 1e-6);
  };
  EXPECT_EQ(graph([&](const Tensor& t) { return t * 3.0 * row; }).nodes().size(), 1U);
  EXPECT_EQ(graph([&](const Tensor& t) { return (t / row) * 3.0; }).nodes().size(), 1U);
  EXPECT_EQ(graph([&](const Tensor& t) { return (t / row) / 2.0; }).nodes().size(), 1U);
  EXPECT_EQ(graph([&](const Tensor& t) { return (t + row) - 0.25; }).nodes().size(), 1U);
  EXPECT_EQ(graph([&](const Tensor& t) { return (t - row) - 3.0; }).nodes().size(), 1U);
  EXPECT_EQ(graph([&](const Tensor& t) { return t * 3.0 + row; }).nodes().size(), 2U);
  // The joined constant would be larger than both.
  EXPECT_EQ(graph([&](const Tensor& t) {
              return t * row * Tensor::full({2, 1}, 3);
            })
                .nodes()
                .size(),
            2U);
  // A product that overflows, and a sum that rounds.
  EXPECT_EQ(graph([&](const Tensor& t) { return t * 1e-30 * 1e-30; }).nodes().size(), 2U);
  EXPECT_EQ(graph([&](const Tensor& t) { return t + 8388608.0 - 8388608.0; }).nodes().size(), 2U);

  const Tensor whole = Tensor::ints({5, -7, 9});
  EXPECT_EQ(simplified({3}, whole, [](const Tensor& t) { return t + 3.0 - 4.0; }).nodes().size(),
            1U);
  EXPECT_EQ(simplified({3}, whole, [](const Tensor& t) { return t * 3.0 / 2.0; }).nodes().size(),
            2U);
}

TEST(Simplify, KeepsActivationsWhole) {
  const Graph g = of_one({2, 3}, [](const Tensor& x) {
    return x * op::Clip(x + 3.0, Tensor::scalar(0), Tensor::scalar(6)) / 6.0 * 1.5;
  });
  EXPECT_EQ(count(checked(g, kPass, {randn({2, 3})}), op::Div), 1);
}

TEST(Simplify, KeepsConstantsThatOthersRead) {
  const Graph g = capture(
      [](const TensorList& x) {
        const Tensor y = x[0] * 3.0;
        return TensorList{y * 5.0, y};
      },
      {{"x", DType::f32, {2}}});
  EXPECT_EQ(count(checked(g, kPass, {randn({2})}), op::Mul), 2);
}

TEST(Simplify, Casts) {
  const auto casts = [](const Tensor& x, DType first, DType second) {
    const auto to = [](const Tensor& t, DType type) {
      return op::Cast(t, {{"to", static_cast<int64_t>(type)}});
    };
    return count(
        simplified({x.shape()[0]}, x,
                   [&](const Tensor& t) { return op::Identity(to(to(t, first), second)); }),
        op::Cast);
  };
  const Tensor bytes = Tensor::from<int8_t>({-100, -1, 0, 100}, {4});
  const Tensor floats = Tensor::from<float>({-3.5F, 0.25F, 300, 70000}, {4});
  EXPECT_EQ(casts(bytes, DType::i32, DType::i8), 0);
  EXPECT_EQ(casts(bytes, DType::i32, DType::u8), 1);  // both wrap
  EXPECT_EQ(casts(bytes, DType::f32, DType::u8), 2);  // saturates, where i8 to u8 wraps
  EXPECT_EQ(casts(bytes, DType::f32, DType::i64), 1);
  EXPECT_EQ(casts(floats, DType::f64, DType::f32), 0);
  EXPECT_EQ(casts(floats, DType::f64, DType::i8), 1);
  EXPECT_EQ(casts(floats, DType::i32, DType::f32), 2);
  EXPECT_EQ(casts(floats, DType::f16, DType::f32), 2);
}

TEST(Simplify, Logic) {
  const Tensor x = op::Greater(randn({4}), Tensor::zeros({1}));
  const Tensor yes = Tensor::full({}, 1, DType::boolean), no = Tensor::full({}, 0, DType::boolean);
  const auto nodes = [&](const std::function<Tensor(const Tensor&)>& f) {
    return simplified({4}, x, [&](const Tensor& t) { return op::Not(f(t)); }).nodes().size();
  };
  EXPECT_EQ(nodes([&](const Tensor& t) { return op::And(t, yes); }), 1U);
  EXPECT_EQ(nodes([&](const Tensor& t) { return op::Or(no, t); }), 1U);
  EXPECT_EQ(nodes([&](const Tensor& t) { return op::Xor(t, no); }), 1U);
  EXPECT_EQ(nodes([&](const Tensor& t) { return op::And(t, no); }), 2U);
  EXPECT_EQ(nodes([&](const Tensor& t) { return op::Not(op::Not(t)); }), 1U);
}

// -- join_bounds
// -----------------------------------------------------------------------------------

Tensor number(double value, DType type = DType::f32) { return Tensor::scalar(value, type); }

TEST(JoinBounds, ReluAndClip) {
  const Tensor x = op::Mul(randn({40}), Tensor::full({1}, 5));
  const auto after = [&](const std::function<Tensor(const Tensor&)>& f) {
    return checked(of_one({40}, f), "join_bounds", {x});
  };
  EXPECT_EQ(count(after([](const Tensor& t) { return op::Clip(t, number(0)); }), op::Relu), 1);
  EXPECT_EQ(count(after([](const Tensor& t) { return op::Max(t, Tensor::zeros({1})); }), op::Relu),
            1);
  EXPECT_EQ(count(after([](const Tensor& t) { return op::Neg(op::Clip(t, Tensor())); }), op::Clip),
            0);
  const Graph relu6 =
      after([](const Tensor& t) { return op::Min(op::Relu(t), Tensor::full({}, 6)); });
  ASSERT_EQ(relu6.nodes().size(), 1U);
  EXPECT_EQ(count(relu6, op::Clip), 1);
  const Graph three = after([](const Tensor& t) {
    return op::Clip(op::Max(op::Clip(t, number(-4), number(2)), Tensor::full({1}, -1)), number(-9),
                    number(1));
  });
  EXPECT_EQ(three.nodes().size(), 1U);
  // Ranges that do not meet leave one number.
  const Graph apart =
      after([](const Tensor& t) { return op::Clip(op::Relu(t), number(-3), number(-1)); });
  EXPECT_EQ(apart.nodes().size(), 1U);
}

TEST(JoinBounds, LeavesComputedBoundsAndOtherReaders) {
  const Graph computed =
      capture([](const TensorList& x) { return TensorList{op::Clip(op::Relu(x[0]), x[1])}; },
              {{"x", DType::f32, {4}}, {"low", DType::f32, {}}});
  EXPECT_EQ(checked(computed, "join_bounds", {randn({4}), number(0.5)}).nodes().size(), 2U);
  const Graph read = capture(
      [](const TensorList& x) {
        const Tensor y = op::Relu(x[0]);
        return TensorList{op::Clip(y, number(0), number(1)), op::Exp(y)};
      },
      {{"x", DType::f32, {4}}});
  EXPECT_EQ(count(checked(read, "join_bounds", {randn({4})}), op::Relu), 1);
  // Max that broadcasts is no bound.
  const Graph wide = of_one({4}, [](const Tensor& t) { return op::Max(t, Tensor::zeros({2, 4})); });
  EXPECT_EQ(count(checked(wide, "join_bounds", {randn({4})}), op::Max), 1);
}

TEST(JoinBounds, Integers) {
  const Tensor x = Tensor::from<int8_t>({-128, -5, 0, 7, 127}, {5});
  const Graph g = of_one(
      {5},
      [](const Tensor& t) {
        return op::Clip(op::Clip(t, number(0, DType::i8)), number(-3, DType::i8),
                        number(127, DType::i8));
      },
      DType::i8);
  const Graph after = checked(g, "join_bounds", {x});
  ASSERT_EQ(after.nodes().size(), 1U);
  EXPECT_EQ(count(after, op::Relu), 1);
}

TEST(JoinBounds, KeepsNaN) {
  const Graph g =
      of_one({3}, [](const Tensor& t) { return op::Clip(op::Relu(t), number(-1), number(2)); });
  checked(g, "join_bounds", {Tensor::from<float>({NAN, -3, 5}, {3})});
}

}  // namespace

}  // namespace tenon::graph
