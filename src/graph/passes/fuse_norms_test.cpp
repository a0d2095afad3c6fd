// fuse_layer_norm, fuse_rms_norm, fuse_group_norm and fuse_skip_norm.
#include "graph/passes/pattern_testing.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::passes {

namespace {

constexpr int64_t kWidth = 12;

Tensor num(double value) { return Tensor::scalar(value); }
Tensor mean(const Tensor& x) { return op::ReduceMean(x, Tensor::ints({-1})); }
// Vectors that differ from element to element.
Tensor gamma() { return Tensor::arange(kWidth, DType::f32) * 0.1 + 0.5; }
Tensor beta() { return Tensor::arange(kWidth, DType::f32) * -0.2 + 1; }

struct Spelling {
  const char* name;
  Unary f;
  size_t inputs;  // of the operator it becomes
};

void expect_fused(const std::string& pass, const OpDef& op, std::span<const Spelling> spellings) {
  manual_seed(11);
  for (const Spelling& s : spellings) {
    SCOPED_TRACE(s.name);
    const graph::Graph before = capture_rows(s.f, kWidth);
    const TensorList inputs{randn({5, kWidth}) * 2.0 + 1.0};
    for (const graph::Graph& after :
         {after_passes(before, {pass}, inputs, 4e-6), after_tidying(before, pass, inputs, 4e-6)}) {
      const graph::Node& node = only_node(after, op);
      EXPECT_EQ(node.inputs.size(), s.inputs);
      EXPECT_EQ(after.nodes().size(), 1U) << after.str();
      EXPECT_NEAR((Call{op, node.attrs}.f("epsilon")), 1e-3, 1e-9);
      EXPECT_EQ((Call{op, node.attrs}.i("axis")), -1);
    }
  }
}

void expect_kept(const std::string& pass, std::span<const Unary> functions) {
  manual_seed(12);
  for (size_t i = 0; i < functions.size(); ++i) {
    SCOPED_TRACE(fmt::format("function {}", i));
    const graph::Graph before = capture_rows(functions[i], kWidth);
    EXPECT_EQ(after_passes(before, {pass}, {randn({3, kWidth})}).str(), before.str());
  }
}

TEST(FuseLayerNorm, KnowsItsSpellings) {
  const Spelling spellings[] = {
      {"torch",
       [](const Tensor& x) {
         const Tensor c = x - mean(x);
         return c / op::Sqrt(mean(op::Pow(c, num(2))) + 1e-3) * gamma() + beta();
       },
       3},
      {"two differences",
       [](const Tensor& x) {
         const Tensor m = mean(x);
         const Tensor top = x - m, below = x - m;
         return gamma() * (top / op::Sqrt(1e-3 + mean(below * below))) + beta();
       },
       3},
      {"reciprocal",
       [](const Tensor& x) {
         const Tensor c = x - mean(x);
         return c * op::Reciprocal(op::Sqrt(mean(c * c) + 1e-3)) * gamma() + beta();
       },
       3},
      {"one over, no shift",
       [](const Tensor& x) {
         const Tensor c = x - mean(x);
         return op::Div(num(1), op::Sqrt(mean(c * c) + 1e-3)) * c * gamma();
       },
       2},
      {"power, no scale",
       [](const Tensor& x) {
         const Tensor c = x - mean(x);
         return c * op::Pow(mean(c * c) + 1e-3, num(-0.5));
       },
       2},
      {"keras",
       [](const Tensor& x) {
         const Tensor m = mean(x);
         const Tensor c = x - m;
         const Tensor s = op::Reciprocal(op::Sqrt(mean(c * c) + 1e-3)) * gamma();
         return x * s + (beta() - m * s);
       },
       3},
      {"scale first",
       [](const Tensor& x) {
         const Tensor c = x - mean(x);
         return c * (op::Reciprocal(op::Sqrt(mean(c * c) + 1e-3)) * gamma()) + beta();
       },
       3},
      {"vectors with leading ones, a scalar",
       [](const Tensor& x) {
         const Tensor c = x - mean(x);
         return c / op::Sqrt(mean(c * c) + 1e-3) * gamma().reshape({1, kWidth}) + 2.0;
       },
       3},
  };
  expect_fused("fuse_layer_norm", op::LayerNormalization, spellings);
}

TEST(FuseLayerNorm, NormalisesSeveralAxesOfSymbolicShapes) {
  manual_seed(13);
  const graph::Graph before = graph::capture(
      [](const TensorList& x) {
        const auto average = [](const Tensor& v) {
          return op::ReduceMean(v, Tensor::ints({3, -2}));
        };
        const Tensor c = x[0] - average(x[0]);
        return TensorList{c / op::Sqrt(average(c * c) + 0.0625) * x[1] + x[2]};
      },
      {{"x", DType::f32, {Dim::symbol("n"), Dim::symbol("t"), 3, 4}},
       {"scale", DType::f32, {3, 4}},
       {"shift", DType::f32, {3, 4}}});
  const graph::Graph after = after_passes(before, {"fuse_layer_norm"},
                                          {randn({2, 5, 3, 4}), randn({3, 4}), randn({3, 4})});
  EXPECT_EQ(only_node(after, op::LayerNormalization).attrs.str(), "axis=-2, epsilon=0.0625");
}

TEST(FuseLayerNorm, LooksPastAxesOfSizeOne) {
  manual_seed(13);
  const graph::Graph before = graph::capture(
      [](const TensorList& x) {
        const auto average = [](const Tensor& v) {
          return op::ReduceMean(v, Tensor::ints({1, 3}));
        };
        const Tensor c = x[0] - average(x[0]);
        return TensorList{c / op::Sqrt(average(c * c) + 0.0625) * x[1]};
      },
      {{"x", DType::f32, {Dim::symbol("n"), 3, 1, 4}}, {"scale", DType::f32, {3, 1, 4}}});
  const graph::Graph after =
      after_passes(before, {"fuse_layer_norm"}, {randn({2, 3, 1, 4}), randn({3, 1, 4})});
  EXPECT_EQ(only_node(after, op::LayerNormalization).attrs.str(), "axis=-3, epsilon=0.0625");
}

TEST(FuseLayerNorm, DropsTheCastsOfHalfPrecision) {
  manual_seed(14);
  const Unary around = [](const Tensor& x) {
    const Tensor wide = x.to(DType::f32);
    const Tensor c = wide - mean(wide);
    const Tensor scale = Tensor::full({kWidth}, 0.5), shift = Tensor::full({kWidth}, 0.25);
    return (c / op::Sqrt(mean(c * c) + 1e-3) * scale + shift).to(x.dtype());
  };
  const Unary inside = [](const Tensor& x) {
    const Tensor wide = x.to(DType::f32);
    const Tensor c = wide - mean(wide);
    return (c / op::Sqrt(mean(c * c) + 1e-3)).to(x.dtype()) * gamma().to(x.dtype()) +
           beta().to(x.dtype());
  };
  for (const DType type : {DType::f16, DType::bf16})
    for (const Unary f : {around, inside}) {
      const graph::Graph after = after_passes(capture_rows(f, kWidth, type), {"fuse_layer_norm"},
                                              {randn({4, kWidth}).to(type)}, 2e-2);
      EXPECT_EQ(after.nodes().size(), 1U) << after.str();
      only_node(after, op::LayerNormalization);
    }
}

TEST(FuseLayerNorm, LeavesOtherFunctions) {
  const Unary functions[] = {
      // Another axis; epsilon outside the root; two different means; an inner value that is read.
      [](const Tensor& x) {
        const Tensor c = x - op::ReduceMean(x, Tensor::ints({0}));
        return c / op::Sqrt(op::ReduceMean(c * c, Tensor::ints({0})) + 1e-3);
      },
      [](const Tensor& x) {
        const Tensor c = x - mean(x);
        return c / (op::Sqrt(mean(c * c)) + 1e-3);
      },
      [](const Tensor& x) {
        const Tensor c = x - op::ReduceMean(x, Tensor::ints({0, 1}));
        return c / op::Sqrt(mean(c * c) + 1e-3);
      },
      [](const Tensor& x) {
        const Tensor c = x - mean(x);
        return c / op::Sqrt(mean(c * c) + 1e-3) + op::Exp(c);
      },
  };
  expect_kept("fuse_layer_norm", functions);
}

TEST(FuseRmsNorm, KnowsItsSpellings) {
  const Spelling spellings[] = {
      {"llama",
       [](const Tensor& x) {
         return gamma() * (x * op::Reciprocal(op::Sqrt(mean(op::Pow(x, num(2))) + 1e-3)));
       },
       2},
      {"quotient", [](const Tensor& x) { return x / op::Sqrt(mean(x * x) + 1e-3) * gamma(); }, 2},
      {"power", [](const Tensor& x) { return x * op::Pow(mean(x * x) + 1e-3, num(-0.5)); }, 2},
  };
  expect_fused("fuse_rms_norm", op::RMSNormalization, spellings);
}

TEST(FuseRmsNorm, DropsTheCastsOfHalfPrecision) {
  manual_seed(15);
  const Unary t5 = [](const Tensor& x) {
    const Tensor wide = x.to(DType::f32);
    const Tensor y = wide * op::Reciprocal(op::Sqrt(mean(wide * wide) + 1e-3));
    return y.to(x.dtype()) * gamma().to(x.dtype());
  };
  const graph::Graph after = after_passes(capture_rows(t5, kWidth, DType::f16), {"fuse_rms_norm"},
                                          {randn({4, kWidth}).to(DType::f16)}, 5e-3);
  EXPECT_EQ(after.nodes().size(), 1U) << after.str();
  only_node(after, op::RMSNormalization);
}

TEST(FuseRmsNorm, LeavesOtherFunctions) {
  const Unary functions[] = {
      [](const Tensor& x) { return op::Abs(x) / op::Sqrt(mean(x * x) + 1e-3); },
      [](const Tensor& x) { return x / op::Sqrt(op::ReduceSum(x * x, Tensor::ints({-1})) + 1e-3); },
      [](const Tensor& x) {
        const Tensor root = op::Sqrt(mean(x * x) + 1e-3);
        return x / root + root;
      },
  };
  expect_kept("fuse_rms_norm", functions);
}

// torch's group_norm of [n, channels, ...], as it is exported.
graph::Graph capture_groups(const Tensor& scale_of_groups, int64_t channels, const Tensor& scale,
                            const Tensor& shift) {
  const int64_t groups = scale_of_groups.numel();
  return graph::capture(
      [&](const TensorList& x) {
        const Tensor apart = x[0].view({0, groups, -1});
        const Tensor normal = op::InstanceNormalization(
            apart, scale_of_groups, Tensor::zeros({groups}), {{"epsilon", 1e-4}});
        const Tensor y = op::Reshape(normal, op::Shape(x[0]));
        return TensorList{y * scale + shift};
      },
      {{"x", DType::f32, {Dim::symbol("n"), channels, Dim::symbol("h"), 5}}}, {"y"});
}

TEST(FuseGroupNorm, KnowsTorchsSpelling) {
  manual_seed(16);
  const Tensor x = randn({2, 6, 3, 5}) + 1.0;
  const graph::Graph before =
      capture_groups(Tensor::ones({3}), 6, randn({6, 1, 1}), randn({1, 6, 1, 1}));
  const graph::Graph after = after_passes(before, {"fuse_group_norm"}, {x}, 4e-6);
  EXPECT_EQ(only_node(after, op::GroupNormalization).attrs.str(), "epsilon=0.0001, num_groups=3");
  EXPECT_EQ(after.nodes().size(), 1U) << after.str();
}

TEST(FuseGroupNorm, LeavesScalesOfGroups) {
  manual_seed(17);
  const graph::Graph before =
      capture_groups(Tensor::full({3}, 2), 6, randn({6, 1, 1}), randn({6, 1, 1}));
  EXPECT_EQ(after_passes(before, {"fuse_group_norm"}, {randn({2, 6, 3, 5})}).str(), before.str());
}

graph::Graph capture_skip(bool read_sum, const Dims& skip, bool rms) {
  return graph::capture(
      [&](const TensorList& x) {
        const Tensor sum = x[0] + x[1];
        TensorList out{rms ? op::RMSNormalization(sum, gamma(), {{"epsilon", 1e-3}})
                           : op::LayerNormalization(sum, gamma(), beta(), {{"epsilon", 1e-3}})};
        if (read_sum) out.push_back(op::Exp(sum));
        return out;
      },
      {{"x", DType::f32, {Dim::symbol("n"), 3, kWidth}}, {"skip", DType::f32, skip}});
}

TEST(FuseSkipNorm, TakesTheSumAlong) {
  manual_seed(18);
  const TensorList inputs{randn({2, 3, kWidth}), randn({2, 3, kWidth})};
  for (const bool rms : {false, true})
    for (const bool read_sum : {false, true}) {
      const graph::Graph before = capture_skip(read_sum, {Dim::symbol("n"), 3, kWidth}, rms);
      const graph::Graph after = after_passes(before, {"fuse_skip_norm"}, inputs, 4e-6);
      only_node(after, rms ? op::SkipSimplifiedLayerNormalization : op::SkipLayerNormalization);
      EXPECT_EQ(graph::count(after, op::Add), 0) << after.str();
    }
}

TEST(FuseSkipNorm, LeavesSumsThatBroadcast) {
  manual_seed(19);
  const graph::Graph before = capture_skip(false, {kWidth}, false);
  EXPECT_EQ(
      after_passes(before, {"fuse_skip_norm"}, {randn({2, 3, kWidth}), randn({kWidth})}).str(),
      before.str());
}

}  // namespace

}  // namespace tenon::passes
