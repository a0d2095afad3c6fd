// fuse_attention on the ways exporters write attention, and on graphs that only look like it.
#include <limits>

#include "graph/passes/pattern_testing.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"

namespace tenon::passes {

namespace {

constexpr int64_t kHeads = 2, kSize = 4, kWidth = kHeads * kSize, kLength = 5;

Tensor num(double value) { return Tensor::scalar(value); }
Tensor transpose(const Tensor& x, std::initializer_list<int64_t> order) {
  return op::Transpose(x, {{"perm", order}});
}
Tensor split(const Tensor& x) { return x.view({0, 0, kHeads, kSize}); }
Tensor by_heads(const Tensor& x) { return transpose(split(x), {0, 2, 1, 3}); }
Tensor keys(const Tensor& x) { return transpose(split(x), {0, 2, 3, 1}); }
Tensor merged(const Tensor& y) { return transpose(y, {0, 2, 1, 3}).view({0, 0, kWidth}); }
Tensor swapped(const Tensor& x) { return transpose(x, {0, 1, 3, 2}); }
const double kRoot = 2;  // of the head size

// q, k, v of [batch, length, width] and a mask.
using Attend = Tensor (*)(const TensorList& x);

graph::Graph capture_attention(Attend f, const Dims& mask, DType mask_type = DType::f32,
                               const Dim& length = Dim::symbol("s")) {
  const Dims x{Dim::symbol("b"), length, kWidth};
  return graph::capture(
      [&](const TensorList& inputs) { return TensorList{f(inputs)}; },
      {{"q", DType::f32, x}, {"k", DType::f32, x}, {"v", DType::f32, x}, {"mask", mask_type, mask}},
      {"y"});
}

TensorList inputs_with(const Tensor& mask) {
  return {randn({3, kLength, kWidth}), randn({3, kLength, kWidth}), randn({3, kLength, kWidth}),
          mask};
}

struct Spelling {
  const char* name;
  Attend f;
  size_t nodes;       // that are left, at most
  const char* attrs;  // of Attention
};

constexpr const char* kFlat = "kv_num_heads=2, q_num_heads=2, scale=0.5";
constexpr const char* kHeaded = "scale=0.5";

TEST(FuseAttention, KnowsSpellingsWithAMaskToAdd) {
  manual_seed(21);
  const Spelling spellings[] = {
      {"bert",
       [](const TensorList& x) {
         const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1])) / kRoot + x[3];
         return merged(op::MatMul(op::Softmax(scores), by_heads(x[2])));
       },
       1, kFlat},
      {"keys in two steps, mask first, scaled by a product",
       [](const TensorList& x) {
         const Tensor scores = op::MatMul(by_heads(x[0]), swapped(by_heads(x[1]))) * 0.5;
         return merged(op::MatMul(op::Softmax(x[3] + scores, {{"axis", 3}}), by_heads(x[2])));
       },
       1, kFlat},
      {"a scale on either side",
       [](const TensorList& x) {
         const Tensor q = by_heads(x[0]) * 0.5, k = swapped(by_heads(x[1])) * 0.5;
         return merged(op::MatMul(op::Softmax(op::MatMul(q, k) + x[3]), by_heads(x[2])));
       },
       1, "kv_num_heads=2, q_num_heads=2, scale=0.25"},
      {"queries scaled before they are split",
       [](const TensorList& x) {
         const Tensor scores = op::MatMul(by_heads(x[0] * 0.5), keys(x[1])) + x[3];
         return merged(op::MatMul(op::Softmax(scores), by_heads(x[2])));
       },
       1, kFlat},
      {"keys scaled before they are transposed, dropout",
       [](const TensorList& x) {
         const Tensor scores = op::MatMul(by_heads(x[0]), swapped(by_heads(x[1]) / 2.0)) + x[3];
         return merged(op::MatMul(op::Dropout(op::Softmax(scores)), by_heads(x[2])));
       },
       1, kFlat},
      {"a negative mask taken off",
       [](const TensorList& x) {
         const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1])) / kRoot - op::Abs(x[3]);
         return merged(op::MatMul(op::Softmax(scores), by_heads(x[2])));
       },
       3, kFlat},
      {"rows stay rows",
       [](const TensorList& x) {
         const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1])) / kRoot + x[3];
         const Tensor y = op::MatMul(op::Softmax(scores), by_heads(x[2]));
         return op::Exp(transpose(y, {0, 2, 1, 3}));
       },
       3, kFlat},
      {"heads stay heads",
       [](const TensorList& x) {
         const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1])) / kRoot + x[3];
         return op::MatMul(op::Softmax(scores), by_heads(x[2]));
       },
       7, kHeaded},
      {"values that are no projection",
       [](const TensorList& x) {
         const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1])) / kRoot + x[3];
         return merged(op::MatMul(op::Softmax(scores), op::Tanh(by_heads(x[2]))));
       },
       10, kHeaded},
      {"softcap",
       [](const TensorList& x) {
         const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1])) / kRoot;
         const Tensor capped = op::Tanh(scores / 4.0) * 4.0 + x[3];
         return merged(op::MatMul(op::Softmax(capped), by_heads(x[2])));
       },
       1, "kv_num_heads=2, q_num_heads=2, scale=0.5, softcap=4"},
  };
  const TensorList inputs = inputs_with(randn({3, 1, 1, kLength}) * 4.0);
  for (const Spelling& s : spellings) {
    SCOPED_TRACE(s.name);
    const graph::Graph before = capture_attention(s.f, {Dim::symbol("b"), 1, 1, Dim::symbol("s")});
    const graph::Graph after = after_passes(before, {"fuse_attention"}, inputs);
    EXPECT_EQ(only_node(after, op::Attention).attrs.str(), s.attrs);
    EXPECT_EQ(graph::count(after, op::Softmax), 0);
    EXPECT_LE(after.nodes().size(), s.nodes) << after.str();
    const graph::Graph tidy = after_tidying(before, "fuse_attention", inputs);
    EXPECT_EQ(only_node(tidy, op::Attention).attrs.str(), s.attrs);
    EXPECT_LE(tidy.nodes().size(), s.nodes) << tidy.str();
  }
}

constexpr double kLowest = -3.4028234663852886e38;

TEST(FuseAttention, KnowsMasksThatChoose) {
  manual_seed(22);
  const Spelling spellings[] = {
      {"kept or lowest",
       [](const TensorList& x) {
         const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1])) / kRoot;
         const Tensor masked = op::Where(x[3], scores, num(kLowest));
         return merged(op::MatMul(op::Softmax(masked), by_heads(x[2])));
       },
       2, kFlat},
      {"lowest or kept",
       [](const TensorList& x) {
         const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1])) / kRoot;
         const Tensor masked = op::Where(op::Not(x[3]), num(kLowest), scores);
         return merged(op::MatMul(op::Softmax(masked), by_heads(x[2])));
       },
       3, kFlat},
      {"infinity",
       [](const TensorList& x) {
         const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1])) / kRoot;
         const Tensor masked =
             op::Where(x[3], scores, num(-std::numeric_limits<double>::infinity()));
         return merged(op::MatMul(op::Softmax(masked), by_heads(x[2])));
       },
       1, kFlat},
      {"no NaN",
       [](const TensorList& x) {
         const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1])) / kRoot;
         const Tensor added =
             op::Where(x[3], num(0), num(-std::numeric_limits<double>::infinity()));
         const Tensor weights = op::Softmax(scores + added);
         const Tensor safe = op::Where(op::IsNaN(weights), num(0), weights);
         return merged(op::MatMul(safe, by_heads(x[2])));
       },
       2, kFlat},
  };
  const Tensor mask = op::Greater(randn({3, 1, kLength, kLength}), num(-0.5));
  for (const Spelling& s : spellings) {
    SCOPED_TRACE(s.name);
    const graph::Graph before = capture_attention(
        s.f, {Dim::symbol("b"), 1, Dim::symbol("s"), Dim::symbol("s")}, DType::boolean);
    // Each query sees itself, so that no row of weights is NaN.
    Tensor kept = mask.clone();
    for (int64_t b = 0; b < 3; ++b)
      for (int64_t i = 0; i < kLength; ++i)
        kept.data<bool>()[(b * kLength + i) * kLength + i] = true;
    const TensorList inputs = inputs_with(kept);
    for (const graph::Graph& after : {after_passes(before, {"fuse_attention"}, inputs),
                                      after_tidying(before, "fuse_attention", inputs)}) {
      EXPECT_EQ(only_node(after, op::Attention).attrs.str(), s.attrs);
      EXPECT_LE(after.nodes().size(), s.nodes) << after.str();
    }
  }
}

Tensor lower_triangle(bool bools) {
  Tensor mask = Tensor::zeros({1, 1, kLength, kLength});
  for (int64_t i = 0; i < kLength; ++i)
    for (int64_t j = 0; j < kLength; ++j)
      mask.data<float>()[i * kLength + j] =
          bools ? (j <= i ? 1.0F : 0.0F) : (j <= i ? 0.0F : -1e9F);
  return bools ? mask.to(DType::boolean) : mask;
}

TEST(FuseAttention, KnowsConstantCausalMasks) {
  manual_seed(23);
  const Attend functions[] = {
      [](const TensorList& x) {
        const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1])) / kRoot;
        const Tensor masked = op::Where(lower_triangle(true), scores, num(-1e4));
        return merged(op::MatMul(op::Softmax(masked), by_heads(x[2])));
      },
      [](const TensorList& x) {
        const Tensor scores =
            op::MatMul(by_heads(x[0]), keys(x[1])) / kRoot + lower_triangle(false);
        return merged(op::MatMul(op::Softmax(scores), by_heads(x[2])));
      }};
  for (const Attend f : functions) {
    const graph::Graph before = capture_attention(f, {1}, DType::f32, kLength);
    const TensorList inputs = inputs_with(Tensor::zeros({1}));
    for (const graph::Graph& after : {after_passes(before, {"fuse_attention"}, inputs),
                                      after_tidying(before, "fuse_attention", inputs)}) {
      EXPECT_EQ(only_node(after, op::Attention).attrs.str(),
                "is_causal=1, kv_num_heads=2, q_num_heads=2, scale=0.5");
      EXPECT_EQ(after.nodes().size(), 1U) << after.str();
    }
  }
}

TEST(FuseAttention, ReadsPackedProjectionsInPlace) {
  manual_seed(24);
  const Unary vit = [](const Tensor& x) {
    const Tensor parts = transpose(x.view({0, 0, 3, kHeads, kSize}), {2, 0, 3, 1, 4});
    const auto part = [&](int64_t i) {
      return op::Gather(parts, Tensor::from<int64_t>({i}, {}), {{"axis", 0}});
    };
    return merged(op::MatMul(op::Softmax(op::MatMul(part(0) * 0.5, swapped(part(1)))), part(2)));
  };
  const Unary unbound = [](const Tensor& x) {
    const Tensor parts = transpose(x.view({0, 0, 3, kHeads, kSize}), {2, 0, 3, 1, 4});
    const TensorList all = op::Split.all({parts, Tensor::ints({1, 1, 1})}, {{"axis", 0}}, 3);
    const auto part = [&](size_t i) { return op::Squeeze(all[i], Tensor::ints({0})); };
    return merged(op::MatMul(op::Softmax(op::MatMul(part(0) * 0.5, swapped(part(1)))), part(2)));
  };
  for (const Unary f : {vit, unbound}) {
    const graph::Graph before = graph::capture(
        [&](const TensorList& x) { return TensorList{f(x[0])}; },
        {{"x", DType::f32, {Dim::symbol("b"), Dim::symbol("s"), 3 * kWidth}}}, {"y"});
    const TensorList inputs{randn({2, kLength, 3 * kWidth})};
    for (const graph::Graph& after : {after_passes(before, {"fuse_attention"}, inputs),
                                      after_tidying(before, "fuse_attention", inputs)}) {
      EXPECT_EQ(only_node(after, op::Attention).attrs.str(), kFlat);
      EXPECT_EQ(graph::count(after, op::Transpose), 0) << after.str();
    }
  }
}

TEST(FuseAttention, SharesHeadsThatAreRepeated) {
  manual_seed(25);
  const graph::Graph before = graph::capture(
      [](const TensorList& x) {
        const auto repeated = [](const Tensor& kv) {  // [b, 2, t, size] to [b, 4, t, size]
          const Tensor wide =
              op::Expand(op::Unsqueeze(kv, Tensor::ints({2})), Tensor::ints({1, 1, 2, 1, 1}));
          return wide.view({0, 4, -1, kSize});
        };
        const Tensor scores = op::MatMul(x[0], swapped(repeated(x[1]))) * 0.5;
        return TensorList{op::MatMul(op::Softmax(scores), repeated(x[2]))};
      },
      {{"q", DType::f32, {2, 4, Dim::symbol("s"), kSize}},
       {"k", DType::f32, {2, 2, Dim::symbol("t"), kSize}},
       {"v", DType::f32, {2, 2, Dim::symbol("t"), kSize}}});
  const TensorList inputs{randn({2, 4, 3, kSize}), randn({2, 2, 6, kSize}),
                          randn({2, 2, 6, kSize})};
  for (const graph::Graph& after : {after_passes(before, {"fuse_attention"}, inputs),
                                    after_tidying(before, "fuse_attention", inputs)}) {
    EXPECT_EQ(only_node(after, op::Attention).attrs.str(), kHeaded);
    EXPECT_EQ(after.nodes().size(), 1U) << after.str();
  }
}

TEST(FuseAttention, KnowsProductsOfRankThree) {
  manual_seed(26);
  // Heads merged into the batch, as torch's bmm wants them.
  const Attend bart = [](const TensorList& x) {
    const auto batched = [](const Tensor& v) { return by_heads(v).view({-1, kLength, kSize}); };
    const Tensor q = batched(x[0] * 0.5), k = transpose(batched(x[1]), {0, 2, 1});
    const Tensor scores = op::MatMul(q, k).view({-1, kHeads, kLength, kLength}) + x[3];
    const Tensor weights = op::Softmax(scores.view({-1, kLength, kLength}));
    return merged(op::MatMul(weights, batched(x[2])).view({-1, kHeads, kLength, kSize}));
  };
  const Tensor mask = randn({3, 1, 1, kLength});
  const graph::Graph with_heads =
      after_passes(capture_attention(bart, {Dim::symbol("b"), 1, 1, kLength}, DType::f32, kLength),
                   {"fuse_attention"}, inputs_with(mask));
  EXPECT_EQ(only_node(with_heads, op::Attention).attrs.str(), kFlat);
  EXPECT_EQ(with_heads.nodes().size(), 1U) << with_heads.str();
  // No heads at all.
  const Attend plain = [](const TensorList& x) {
    const Tensor scores = op::MatMul(x[0], transpose(x[1], {0, 2, 1})) * 0.5 + x[3];
    return op::MatMul(op::Softmax(scores), x[2]);
  };
  const graph::Graph single =
      after_passes(capture_attention(plain, {Dim::symbol("b"), 1, Dim::symbol("s")}),
                   {"fuse_attention"}, inputs_with(randn({3, 1, kLength})));
  EXPECT_EQ(only_node(single, op::Attention).attrs.str(),
            "kv_num_heads=1, q_num_heads=1, scale=0.5");
}

TEST(FuseAttention, LeavesOtherGraphs) {
  manual_seed(27);
  const Attend functions[] = {
      // Weights that are read; scores that are read; along another axis.
      [](const TensorList& x) {
        const Tensor weights = op::Softmax(op::MatMul(by_heads(x[0]), keys(x[1])) + x[3]);
        return op::MatMul(weights, by_heads(x[2])) + op::ReduceMean(weights);
      },
      [](const TensorList& x) {
        const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1]));
        return op::MatMul(op::Softmax(scores + x[3]), by_heads(x[2])) + op::ReduceMean(scores);
      },
      [](const TensorList& x) {
        const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1])) + x[3];
        return merged(op::MatMul(op::Softmax(scores, {{"axis", 2}}), by_heads(x[2])));
      },
      // The mask is scaled, too; the fill is no mask; the keys are not transposed.
      [](const TensorList& x) {
        const Tensor scores = (op::MatMul(by_heads(x[0]), keys(x[1])) + x[3]) / kRoot;
        return merged(op::MatMul(op::Softmax(scores), by_heads(x[2])));
      },
      [](const TensorList& x) {
        const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1]));
        const Tensor masked = op::Where(op::Greater(x[3], num(0)), scores, num(-2));
        return merged(op::MatMul(op::Softmax(masked), by_heads(x[2])));
      },
      [](const TensorList& x) {
        const Tensor scores = op::MatMul(by_heads(x[0]), op::Exp(keys(x[1]))) + x[3];
        return merged(op::MatMul(op::Softmax(scores), by_heads(x[2])));
      },
  };
  for (size_t i = 0; i < std::size(functions); ++i) {
    SCOPED_TRACE(fmt::format("function {}", i));
    const graph::Graph before =
        capture_attention(functions[i], {Dim::symbol("b"), 1, 1, Dim::symbol("s")});
    const graph::Graph after =
        after_passes(before, {"fuse_attention"}, inputs_with(randn({3, 1, 1, kLength})));
    EXPECT_EQ(after.str(), before.str());
  }
}

TEST(FuseAttention, LeavesMasksThatMayNotFit) {
  manual_seed(28);
  const Attend f = [](const TensorList& x) {
    const Tensor scores = op::MatMul(by_heads(x[0]), keys(x[1])) / kRoot + x[3];
    return merged(op::MatMul(op::Softmax(scores), by_heads(x[2])));
  };
  // One column for all keys, which the operator would read as one key.
  const graph::Graph column = capture_attention(f, {1, 1, Dim::symbol("s"), 1});
  EXPECT_EQ(
      graph::count(after_passes(column, {"fuse_attention"}, inputs_with(randn({1, 1, kLength, 1}))),
                   op::Attention),
      0);
  // A length that is not known to be the keys'.
  const graph::Graph other = capture_attention(f, {1, 1, 1, Dim::symbol("m")});
  EXPECT_EQ(
      graph::count(after_passes(other, {"fuse_attention"}, inputs_with(randn({1, 1, 1, kLength}))),
                   op::Attention),
      0);
}

}  // namespace

}  // namespace tenon::passes
