// fuse_gelu, fuse_swish and fuse_softmax: spellings that must become one operator, and look-alikes
// that must not.
#include "graph/passes/pattern_testing.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::passes {

namespace {

struct Spelling {
  const char* name;
  Unary f;
  const OpDef* op;
  const char* attrs;
};

Tensor num(double value) { return Tensor::scalar(value); }
Tensor cube(const Tensor& x) { return op::Pow(x, num(3)); }

// Each becomes exactly one node, of that operator.
void expect_fused(const std::string& pass, std::span<const Spelling> spellings) {
  manual_seed(7);
  for (const Spelling& s : spellings) {
    SCOPED_TRACE(s.name);
    const graph::Graph before = capture_rows(s.f, 37);
    const graph::Graph after = after_passes(before, {pass}, {randn({5, 37}) * 3.0}, 4e-6);
    EXPECT_EQ(after.nodes().size(), 1U) << after.str();
    const graph::Node& node = only_node(after, *s.op);
    EXPECT_EQ(node.attrs.str(), s.attrs);
    const graph::Graph tidy = after_tidying(before, pass, {randn({5, 37}) * 3.0}, 4e-6);
    EXPECT_EQ(tidy.nodes().size(), 1U) << tidy.str();
    only_node(tidy, *s.op);
  }
}

// Nothing changes.
void expect_kept(const std::string& pass, std::span<const Unary> functions) {
  manual_seed(8);
  for (size_t i = 0; i < functions.size(); ++i) {
    SCOPED_TRACE(fmt::format("function {}", i));
    const graph::Graph before = capture_rows(functions[i], 6);
    const graph::Graph after = after_passes(before, {pass}, {randn({3, 6})});
    EXPECT_EQ(after.str(), before.str());
  }
}

constexpr double kRoot = 0.7978845608028654;  // sqrt(2 / pi)

TEST(FuseGelu, KnowsItsSpellings) {
  const Spelling spellings[] = {
      {"torch", [](const Tensor& x) { return x * (op::Erf(x / 1.4142135381698608) + 1) * 0.5; },
       &op::Gelu, ""},
      {"half first", [](const Tensor& x) { return x * 0.5 * (1 + op::Erf(x * 0.70710678)); },
       &op::Gelu, ""},
      {"half inside", [](const Tensor& x) { return x * (0.5 * (op::Erf(x / 1.41421356) + 1)); },
       &op::Gelu, ""},
      {"half distributed",
       [](const Tensor& x) { return x * (op::Erf(x * 0.70710678) * 0.5 + 0.5); }, &op::Gelu, ""},
      {"divided by two", [](const Tensor& x) { return x * (1 + op::Erf(x / 1.41421356)) / 2; },
       &op::Gelu, ""},
      {"written out",
       [](const Tensor& x) {
         const Tensor half = x * 0.5;
         return half + half * op::Erf(x * 0.70710678);
       },
       &op::Gelu, ""},
      {"tanh of torch",
       [](const Tensor& x) { return x * 0.5 * (op::Tanh((x + cube(x) * 0.044715) * kRoot) + 1); },
       &op::Gelu, "approximate=\"tanh\""},
      {"tanh of gpt-2",
       [](const Tensor& x) {
         return 0.5 * x * (1 + op::Tanh(kRoot * (x + 0.044715 * (x * x * x))));
       },
       &op::Gelu, "approximate=\"tanh\""},
      {"tanh, fast",
       [](const Tensor& x) { return x * 0.5 * (1 + op::Tanh(x * kRoot * (x * 0.044715 * x + 1))); },
       &op::Gelu, "approximate=\"tanh\""},
      {"tanh, folded",
       [](const Tensor& x) {
         return x * (0.5 * op::Tanh(x * (x * x * (0.044715 * kRoot) + kRoot)) + 0.5);
       },
       &op::Gelu, "approximate=\"tanh\""},
  };
  expect_fused("fuse_gelu", spellings);
}

TEST(FuseGelu, TakesTheCoarseConstantsOfHalfPrecision) {
  manual_seed(3);
  const Unary plain = [](const Tensor& x) {
    return x * 0.5 * (op::Tanh((x + x * x * x * 0.044715) * kRoot) + 1);
  };
  const graph::Graph before = capture_rows(plain, 8, DType::f16);
  const graph::Graph after =
      after_passes(before, {"fuse_gelu"}, {randn({4, 8}).to(DType::f16)}, 4e-3);
  only_node(after, op::Gelu);
}

TEST(FuseGelu, LeavesOtherFunctions) {
  const Unary functions[] = {
      // Not the root of two, not a half, not x on both sides, another cubic.
      [](const Tensor& x) { return x * (op::Erf(x / 1.5) + 1) * 0.5; },
      [](const Tensor& x) { return x * (op::Erf(x / 1.41421356) + 1) * 0.25; },
      [](const Tensor& x) { return op::Abs(x) * (op::Erf(x / 1.41421356) + 1) * 0.5; },
      [](const Tensor& x) { return x * 0.5 * (op::Tanh((x + cube(x) * 0.05) * kRoot) + 1); },
      // A constant that widens the result, in rank.
      [](const Tensor& x) {
        return x * (op::Erf(x / 1.41421356) + Tensor::full({1, 1, 1}, 1)) * 0.5;
      },
      // Somebody else reads the inner sum.
      [](const Tensor& x) {
        const Tensor inner = op::Erf(x / 1.41421356) + 1;
        return x * inner * 0.5 + op::Exp(inner);
      },
  };
  expect_kept("fuse_gelu", functions);
}

TEST(FuseSwish, KnowsItsSpellings) {
  const Spelling spellings[] = {
      {"silu", [](const Tensor& x) { return x * op::Sigmoid(x); }, &op::Swish, ""},
      {"silu, other order", [](const Tensor& x) { return op::Sigmoid(x) * x; }, &op::Swish, ""},
      {"quick gelu", [](const Tensor& x) { return x * op::Sigmoid(1.75 * x); }, &op::Swish,
       "alpha=1.75"},
      {"swish by exp", [](const Tensor& x) { return x / (1 + op::Exp(-x)); }, &op::Swish, ""},
      {"sigmoid by exp", [](const Tensor& x) { return op::Reciprocal(1 + op::Exp(-x)); },
       &op::Sigmoid, ""},
      {"sigmoid by quotient",
       [](const Tensor& x) { return op::Div(num(1), op::Exp(x * -1.0) + 1); }, &op::Sigmoid, ""},
      {"swish by a spelled sigmoid",
       [](const Tensor& x) { return op::Reciprocal(1 + op::Exp(-x)) * x; }, &op::Swish, ""},
      {"hard swish", [](const Tensor& x) { return x * op::Clip(x + 3, num(0), num(6)) / 6; },
       &op::HardSwish, ""},
      {"hard swish, sixth",
       [](const Tensor& x) { return op::Clip(x + 3, num(0), num(6)) * (1.0 / 6) * x; },
       &op::HardSwish, ""},
      {"hard swish, scaled first",
       [](const Tensor& x) { return x * op::Clip(x / 6 + 0.5, num(0), num(1)); }, &op::HardSwish,
       ""},
      {"hard swish by hard sigmoid",
       [](const Tensor& x) {
         return x * op::HardSigmoid(x, {{"alpha", 0.1666666716337204}, {"beta", 0.5}});
       },
       &op::HardSwish, ""},
      {"mish", [](const Tensor& x) { return x * op::Tanh(op::Softplus(x)); }, &op::Mish, ""},
      {"mish by exp", [](const Tensor& x) { return x * op::Tanh(op::Log(op::Exp(x) + 1)); },
       &op::Mish, ""},
      {"softplus", [](const Tensor& x) { return op::Log(1 + op::Exp(x)); }, &op::Softplus, ""},
      {"softsign", [](const Tensor& x) { return x / (op::Abs(x) + 1); }, &op::Softsign, ""},
  };
  expect_fused("fuse_swish", spellings);
}

TEST(FuseSwish, KnowsHardSwishWithoutItsDivision) {
  manual_seed(9);
  const graph::Graph before =
      capture_rows([](const Tensor& x) { return op::Exp(x * op::Clip(x + 3, num(0), num(6))); }, 9);
  const graph::Graph after = after_passes(before, {"fuse_swish"}, {randn({4, 9})});
  only_node(after, op::HardSwish);
  EXPECT_EQ(after.nodes().size(), 3U) << after.str();
}

TEST(FuseSwish, MakesHardSigmoidOfClip) {
  manual_seed(9);
  const graph::Graph before =
      capture_rows([](const Tensor& x) { return op::Clip(x + 3, num(0), num(6)) / 6; }, 9);
  const graph::Graph after = after_passes(before, {"fuse_swish"}, {randn({4, 9}) * 3.0});
  const Attrs attrs = only_node(after, op::HardSigmoid).attrs;
  EXPECT_NEAR(std::get<double>(*attrs.find("alpha")), 1.0 / 6, 1e-9);
  EXPECT_NEAR(std::get<double>(*attrs.find("beta")), 0.5, 1e-9);
  EXPECT_EQ(after.nodes().size(), 1U);
}

TEST(FuseSwish, LeavesOtherFunctions) {
  const Unary functions[] = {
      [](const Tensor& x) { return op::Abs(x) * op::Sigmoid(x); },
      [](const Tensor& x) { return x * op::Sigmoid(x + 1); },
      [](const Tensor& x) { return x * op::Clip(x + 2, num(-1), num(6)) / 6; },
      [](const Tensor& x) { return op::Clip(x, num(0), num(6)) * 2; },
      [](const Tensor& x) { return op::Log(2 + op::Exp(x)); },
      [](const Tensor& x) { return x / (op::Abs(x) + 2); },
      [](const Tensor& x) { return x / (1 + op::Exp(x)); },
      [](const Tensor& x) {
        const Tensor gate = op::Sigmoid(x);
        return x * gate + op::Exp(gate);
      },
  };
  expect_kept("fuse_swish", functions);
}

Tensor last() { return Tensor::ints({-1}); }

TEST(FuseSoftmax, KnowsItsSpellings) {
  const Spelling spellings[] = {
      {"with the maximum",
       [](const Tensor& x) {
         const Tensor e = op::Exp(x - op::ReduceMax(x, last()));
         return e / op::ReduceSum(e, last());
       },
       &op::Softmax, "axis=-1"},
      {"without",
       [](const Tensor& x) {
         const Tensor e = op::Exp(x);
         return e / op::ReduceSum(e, Tensor::ints({0}));
       },
       &op::Softmax, "axis=0"},
      {"sums without their axis",
       [](const Tensor& x) {
         const Tensor top = op::ReduceMax(x, last(), {{"keepdims", 0}});
         const Tensor e = op::Exp(x - op::Unsqueeze(top, last()));
         return e / op::Unsqueeze(op::ReduceSum(e, last(), {{"keepdims", 0}}), last());
       },
       &op::Softmax, "axis=-1"},
      {"by a reciprocal",
       [](const Tensor& x) {
         const Tensor e = op::Exp(x);
         return op::Reciprocal(op::ReduceSum(e, last())) * e;
       },
       &op::Softmax, "axis=-1"},
      {"log",
       [](const Tensor& x) {
         return op::Log(op::Softmax(x, {{"axis", 0}}));
       },
       &op::LogSoftmax, "axis=0"},
      {"log of the sum",
       [](const Tensor& x) {
         const Tensor d = x - op::ReduceMax(x, last());
         return d - op::Log(op::ReduceSum(op::Exp(d), last()));
       },
       &op::LogSoftmax, "axis=-1"},
      {"ReduceLogSumExp", [](const Tensor& x) { return x - op::ReduceLogSumExp(x, last()); },
       &op::LogSoftmax, "axis=-1"},
  };
  expect_fused("fuse_softmax", spellings);
}

TEST(FuseSoftmax, LeavesOtherFunctions) {
  const Unary functions[] = {
      // Over both axes; of something else; along another axis than the maximum's.
      [](const Tensor& x) {
        const Tensor e = op::Exp(x);
        return e / op::ReduceSum(e, Tensor::ints({0, 1}));
      },
      [](const Tensor& x) { return op::Exp(x) / op::ReduceSum(op::Exp(x * 2.0), last()); },
      [](const Tensor& x) {
        return x - op::ReduceLogSumExp(x, Tensor::ints({0, 1}));
      },
      [](const Tensor& x) {
        const Tensor e = op::Exp(x);
        return e / op::ReduceSum(e, last()) + e;
      },
  };
  expect_kept("fuse_softmax", functions);
}

}  // namespace

}  // namespace tenon::passes
