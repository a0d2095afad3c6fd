// Slices of slices, and Split, Concat and Gather that pick whole ranges.
#include "graph/passes/pass_testing.h"
#include "ops/math/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/random.h"

namespace tenon::graph {

namespace {

const char* const kPass = "tidy_slices";
constexpr int64_t kEnd = INT64_MAX;

Tensor slice(const Tensor& x, int64_t axis, int64_t start, int64_t end, int64_t step = 1) {
  return op::Slice.all({x, Tensor::ints({start}), Tensor::ints({end}), Tensor::ints({axis}),
                        Tensor::ints({step})})[0];
}

int slices(const Dims& dims, const Tensor& x, const std::function<Tensor(const Tensor&)>& f) {
  return count(checked(of_one(dims, f), kPass, {x}), op::Slice);
}

TEST(TidySlices, SliceOfSlice) {
  const Dims dims{Dim::symbol("n"), 9};
  const Tensor x = randn({7, 9});
  EXPECT_EQ(slices(dims, x, [](const Tensor& t) { return slice(slice(t, 1, 1, 8), 0, 2, 4); }), 1);
  EXPECT_EQ(
      slices(dims, x, [](const Tensor& t) { return slice(slice(t, 1, 1, -1, 2), 1, 1, 9, 2); }), 1);
  EXPECT_EQ(slices(dims, x, [](const Tensor& t) { return slice(slice(t, 1, 3, 5), 1, 7, 9); }), 1);
  // Along n, whatever it clamps.
  for (const auto& [a, b, c, d] :
       {std::tuple{2, 99, 1, 3}, {1, 6, 1, 9}, {1, 6, 2, 4}, {1, -1, 1, -2}}) {
    const auto both = [&](const Tensor& t) { return slice(slice(t, 0, a, b), 0, c, d); };
    for (const int64_t rows : {0, 1, 2, 3, 4, 7, 9})
      EXPECT_EQ(slices(dims, randn({rows, 9}), both), 1) << rows;
  }
  const auto to_end = [](const Tensor& t) { return slice(slice(t, 0, 1, kEnd), 0, 1, kEnd); };
  EXPECT_EQ(slices(dims, x, to_end), 1);
  EXPECT_EQ(slices(dims, x, [](const Tensor& t) { return slice(slice(t, 0, 1, 5), 0, -2, kEnd); }),
            2);
  EXPECT_EQ(
      slices(dims, x, [](const Tensor& t) { return slice(slice(t, 1, -1, -99, -1), 1, 0, 2); }), 2);
}

TEST(TidySlices, GatherOfARange) {
  const Tensor x = randn({3, 6});
  const auto gather = [](std::initializer_list<int64_t> places, int64_t axis) {
    return [=, list = std::vector<int64_t>(places)](const Tensor& t) {
      return op::Exp(op::Gather(t, Tensor::ints(list), {{"axis", axis}}));
    };
  };
  const auto gathers = [&](std::initializer_list<int64_t> places, int64_t axis = 1) {
    return count(checked(of_one({Dim::symbol("n"), 6}, gather(places, axis)), kPass, {x}),
                 op::Gather);
  };
  EXPECT_EQ(gathers({1, 2, 3}), 0);
  EXPECT_EQ(gathers({1, 3, 5}), 0);
  EXPECT_EQ(gathers({-2, -1}), 0);
  EXPECT_EQ(gathers({4}), 0);
  EXPECT_EQ(gathers({3, 2, 1}), 1);
  EXPECT_EQ(gathers({1, 2, 4}), 1);
  EXPECT_EQ(gathers({0, 0}), 1);
  EXPECT_EQ(gathers({0, 1}, 0), 1);  // n may be too small, which is an error
  EXPECT_EQ(checked(of_one({3, 6}, gather({0, 1, 2, 3, 4, 5}, 1)), kPass, {x}).nodes().size(), 1U);
}

TEST(TidySlices, PartsOfAConcat) {
  const auto graph = [](const std::function<Tensor(const Tensor&)>& f) {
    return capture(
        [&](const TensorList& x) {
          return TensorList{op::Neg(f(op::Concat.all({x[0], x[1]}, {{"axis", 1}})[0]))};
        },
        {{"a", DType::f32, {2, 3}}, {"b", DType::f32, {2, Dim::symbol("m")}}});
  };
  const TensorList inputs{randn({2, 3}), randn({2, 5})};
  const auto left = [&](const OpDef& op, const std::function<Tensor(const Tensor&)>& f) {
    return count(checked(graph(f), kPass, inputs), op);
  };
  EXPECT_EQ(left(op::Concat, [](const Tensor& t) { return slice(t, 1, 0, 3); }), 0);
  EXPECT_EQ(left(op::Slice, [](const Tensor& t) { return slice(t, 1, 0, 3); }), 0);
  EXPECT_EQ(left(op::Slice, [](const Tensor& t) { return slice(t, 1, 3, kEnd); }), 0);
  EXPECT_EQ(left(op::Concat, [](const Tensor& t) { return slice(t, 1, 4, kEnd); }), 0);
  EXPECT_EQ(left(op::Concat, [](const Tensor& t) { return slice(t, 1, 1, 2); }), 0);
  EXPECT_EQ(left(op::Concat, [](const Tensor& t) { return slice(t, 1, 2, 4); }), 1);
  EXPECT_EQ(left(op::Concat, [](const Tensor& t) { return slice(t, 1, -2, kEnd); }), 1);
  EXPECT_EQ(left(op::Concat, [](const Tensor& t) { return slice(t, 0, 0, 1); }), 1);
  EXPECT_EQ(left(op::Concat,
                 [](const Tensor& t) {
                   return op::Slice(t, Tensor::ints({0, 0}), Tensor::ints({1, 3}));
                 }),
            0);
}

TEST(TidySlices, SplitAndConcat) {
  const Tensor x = randn({2, 6});
  const auto split = [](const Tensor& t) {
    return op::Split.all({t, Tensor::ints({1, 2, 3})}, {{"axis", 1}}, 3);
  };
  const auto concat = [](const TensorList& parts) {
    return op::Concat.all(parts, {{"axis", -1}})[0];
  };
  const Graph whole =
      of_one({Dim::symbol("n"), 6}, [&](const Tensor& t) { return op::Exp(concat(split(t))); });
  EXPECT_EQ(checked(whole, kPass, {x}).nodes().size(), 1U);
  const Graph turned = of_one({2, 6}, [&](const Tensor& t) {
    const TensorList parts = split(t);
    return concat({parts[1], parts[0], parts[2]});
  });
  EXPECT_EQ(count(checked(turned, kPass, {x}), op::Split), 1);
  const Graph one = of_one({2, 6}, [&](const Tensor& t) { return split(t)[1]; });
  EXPECT_EQ(count(checked(one, kPass, {x}), op::Slice), 1);
  const Graph back = of_one({2, 6}, [&](const Tensor& t) {
    const TensorList parts =
        split(concat({slice(t, 1, 3, 4), slice(t, 1, 0, 2), slice(t, 1, 2, 5)}));
    return concat({parts[2], parts[0]});
  });
  EXPECT_EQ(count(checked(back, kPass, {x}), op::Split), 0);
}

TEST(TidySlices, ConcatOfConcat) {
  const Tensor x = randn({2, 3});
  const auto graph = [&](int64_t axis, bool shared) {
    return capture(
        [=](const TensorList& in) {
          const Tensor inner = op::Concat.all({in[0], op::Exp(in[0])}, {{"axis", axis}})[0];
          TensorList out{op::Concat.all({inner, inner * 2.0}, {{"axis", -1}})[0]};
          if (shared) out.push_back(inner);
          return out;
        },
        {{"x", DType::f32, {2, 3}}});
  };
  // `inner` is read by two nodes: it is made anyway.
  EXPECT_EQ(count(checked(graph(1, true), kPass, {x}), op::Concat), 2);
  const Graph nested = of_one({2, 3}, [](const Tensor& t) {
    const Tensor inner = op::Concat.all({t, op::Exp(t)}, {{"axis", 1}})[0];
    return op::Concat.all({op::Neg(t), inner}, {{"axis", -1}})[0];
  });
  EXPECT_EQ(count(checked(nested, kPass, {x}), op::Concat), 1);
  const Graph other = of_one({2, 3}, [](const Tensor& t) {
    const Tensor inner = op::Concat.all({t, op::Exp(t)}, {{"axis", 0}})[0];
    return op::Concat.all({inner, inner}, {{"axis", 1}})[0];
  });
  EXPECT_EQ(count(checked(other, kPass, {x}), op::Concat), 2);
}

}  // namespace

}  // namespace tenon::graph
