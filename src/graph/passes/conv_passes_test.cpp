// Convolutions with what is around them: that each pass finds its patterns, keeps results, and
// leaves alone what it must.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "graph/capture.h"
#include "graph/interpreter.h"
#include "graph/pass.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/random.h"

namespace tenon {
namespace {

using graph::Function;
using graph::Graph;
using graph::Interpreter;

struct Changed {
  Graph before, after;

  int64_t count(const OpDef& op) const {
    int64_t found = 0;
    for (const graph::Node& node : after.nodes()) found += node.op == &op ? 1 : 0;
    return found;
  }
  static std::vector<std::string_view> ops(const Graph& g) {
    std::vector<std::string_view> names;
    for (const graph::Node& node : g.nodes()) names.push_back(node.op->name);
    return names;
  }
  // The attributes of the only such node.
  Call call(const OpDef& op) const {
    for (const graph::Node& node : after.nodes())
      if (node.op == &op) return {op, node.attrs};
    ADD_FAILURE() << "no " << op.name << " in " << after.str();
    return {op, none};
  }
  Attrs none;
};

// Applies the passes to a function of x and compares results.
Changed change(const std::vector<std::string>& passes, const Function& function, const Dims& dims,
               const std::vector<Shape>& shapes, DType type = DType::f32) {
  manual_seed(7);
  Changed changed{graph::capture(function, {{"x", type, dims}}), {}, {}};
  changed.after = changed.before;
  graph::run_passes(changed.after, {.only = passes, .verify = true});
  for (const Shape& shape : shapes) {
    const TensorList x{randn(shape).to(type)};
    const TensorList want = Interpreter(changed.before).run(x);
    const TensorList got = Interpreter(changed.after).run(x);
    EXPECT_EQ(got.size(), want.size());
    const double slack = type == DType::f16 ? 1e-2 : 1e-4;
    for (size_t o = 0; o < want.size(); ++o) {
      EXPECT_EQ(got[o].shape(), want[o].shape());
      EXPECT_EQ(got[o].dtype(), want[o].dtype());
      const auto a = got[o].to_vector<double>(), b = want[o].to_vector<double>();
      for (size_t i = 0; i < a.size() && i < b.size(); ++i)
        EXPECT_NEAR(a[i], b[i], slack * (1 + std::fabs(b[i]))) << "output " << o << " at " << i;
    }
  }
  return changed;
}

const Dims& images() {
  static const Dims dims{Dim::symbol("batch"), 4, Dim::symbol("h"), Dim::symbol("w")};
  return dims;
}
const std::vector<Shape>& sizes() {
  static const std::vector<Shape> list{{1, 4, 6, 5}, {2, 4, 9, 8}};
  return list;
}

Tensor conv(const Tensor& x, const Shape& weights, const Attrs& attrs = {}, bool bias = true) {
  return op::Conv(x, randn(weights), bias ? randn({weights[0]}) : Tensor(), attrs);
}
Tensor transposed(const Tensor& x, const Shape& weights, const Attrs& attrs = {}) {
  return op::ConvTranspose(x, randn(weights), Tensor(), attrs);
}
Tensor batch_norm(const Tensor& x, int64_t channels, const Attrs& attrs = {}) {
  return op::BatchNormalization.all(
      {x, randn({channels}), randn({channels}), randn({channels}), rand({channels}, 0.5, 2)},
      attrs)[0];
}
const Attrs& same_size() {
  static const Attrs attrs{{"pads", {1, 1, 1, 1}}};
  return attrs;
}
TensorList one(Tensor y) { return {std::move(y)}; }

// -- fuse_conv_batch_norm -------------------------------------------------------------------------

TEST(FuseConvBatchNorm, FoldsIntoWeightsAndBias) {
  for (bool bias : {false, true})
    for (int64_t group : {1, 2}) {
      const Changed c = change(
          {"fuse_conv_batch_norm"},
          [&](const TensorList& x) {
            const Attrs attrs = same_size().with({"group", group});
            return one(batch_norm(conv(x[0], {6, 4 / group, 3, 3}, attrs, bias), 6));
          },
          images(), sizes());
      EXPECT_EQ(c.after.nodes().size(), 1U) << c.after.str();
    }
}

TEST(FuseConvBatchNorm, FoldsIntoTransposedConvolutions) {
  for (int64_t group : {1, 2}) {
    const Changed c = change(
        {"fuse_conv_batch_norm"},
        [&](const TensorList& x) {
          return one(batch_norm(
              transposed(x[0], {4, 6 / group, 2, 2}, {{"group", group}, {"strides", {2, 2}}}), 6));
        },
        images(), sizes());
    EXPECT_EQ(c.after.nodes().size(), 1U) << c.after.str();
  }
}

TEST(FuseConvBatchNorm, FoldsArithmeticWithAConstantAChannel) {
  const Changed c = change(
      {"fuse_conv_batch_norm"},
      [](const TensorList& x) {
        Tensor y = conv(x[0], {3, 4, 1, 1}, {}, false);
        y = op::Mul(randn({3, 1, 1}), y);
        y = op::Add(y, randn({1, 3, 1, 1}));
        y = op::Sub(Tensor::scalar(2), y);
        y = op::Sub(y, Tensor::full({1}, 0.5));
        return one(op::Div(y, rand({3, 1, 1}, 1, 2)));
      },
      images(), sizes());
  EXPECT_EQ(c.after.nodes().size(), 1U) << c.after.str();
}

TEST(FuseConvBatchNorm, KeepsWeightsThatOnlyGetABias) {
  const Changed c = change(
      {"fuse_conv_batch_norm"},
      [](const TensorList& x) {
        return one(conv(x[0], {3, 4, 1, 1}, {}, false) + randn({3, 1, 1}));
      },
      images(), sizes());
  ASSERT_EQ(c.after.nodes().size(), 1U) << c.after.str();
  const auto weights = [](const Graph& g) {
    return g.value(g.nodes()[0].inputs[1]).type.constant.raw();
  };
  EXPECT_EQ(weights(c.before), weights(c.after));
}

TEST(FuseConvBatchNorm, FoldsWhatComesBeforeWithoutPadding) {
  for (int64_t group : {1, 2}) {
    const Changed c = change(
        {"fuse_conv_batch_norm"},
        [&](const TensorList& x) {
          return one(conv(batch_norm(x[0], 4), {6, 4 / group, 3, 3}, {{"group", group}}));
        },
        images(), sizes());
    EXPECT_EQ(c.after.nodes().size(), 1U) << c.after.str();
  }
  const Changed scaled = change(
      {"fuse_conv_batch_norm"},
      [](const TensorList& x) {
        return one(conv(x[0] * Tensor::scalar(0.25), {6, 4, 3, 3}, same_size()));
      },
      images(), sizes());
  EXPECT_EQ(scaled.after.nodes().size(), 1U) << scaled.after.str();
}

TEST(FuseConvBatchNorm, LeavesAlone) {
  const auto untouched = [](const Function& function) {
    const Changed c = change({"fuse_conv_batch_norm"}, function, images(), sizes());
    EXPECT_EQ(Changed::ops(c.before), Changed::ops(c.after)) << c.after.str();
  };
  untouched([](const TensorList& x) {  // a shift in padding
    return one(conv(batch_norm(x[0], 4), {6, 4, 3, 3}, same_size()));
  });
  untouched([](const TensorList& x) {  // a second reader
    const Tensor y = conv(x[0], {4, 4, 1, 1});
    return TensorList{batch_norm(y, 4), op::Relu(y)};
  });
  untouched([](const TensorList& x) {  // an output
    const Tensor y = conv(x[0], {4, 4, 1, 1});
    return TensorList{y, batch_norm(y, 4)};
  });
  untouched([](const TensorList& x) {  // numbers along another axis
    return one(conv(x[0], {4, 4, 1, 1}) * randn({2, 1, 1, 1}));
  });
  untouched([](const TensorList& x) {  // more channels than the convolution has
    return one(conv(x[0], {1, 4, 1, 1}) * randn({3, 1, 1}));
  });
  untouched([](const TensorList& x) {  // a quotient
    return one(op::Div(randn({4, 1, 1}), conv(x[0], {4, 4, 1, 1})));
  });
  untouched([](const TensorList& x) {  // weights that are computed
    return one(batch_norm(op::Conv(x[0], op::ReduceMax(x[0], Tensor::ints({0, 2, 3}))), 1));
  });
}

TEST(SplitBatchNorm, BecomesArithmetic) {
  const Changed c = change(
      {"split_batch_norm"}, [](const TensorList& x) { return one(batch_norm(x[0], 4)); }, images(),
      sizes());
  EXPECT_EQ(c.count(op::BatchNormalization), 0) << c.after.str();
  EXPECT_EQ(c.count(op::Mul) + c.count(op::Add), 2) << c.after.str();
  const Changed flat =
      change({"split_batch_norm"}, [](const TensorList& x) { return one(batch_norm(x[0], 3)); },
             {Dim::symbol("batch"), 3}, {{2, 3}});
  EXPECT_EQ(flat.count(op::BatchNormalization), 0) << flat.after.str();
}

// -- pad_into_conv --------------------------------------------------------------------------------

Tensor padded(const Tensor& x, std::initializer_list<int64_t> pads, double value = 0) {
  return op::Pad(x, Tensor::ints(pads), Tensor::scalar(value));
}

TEST(PadIntoConv, AddsToTheWindowsPads) {
  const Changed c = change(
      {"pad_into_conv"},
      [](const TensorList& x) {
        return one(conv(padded(x[0], {0, 0, 0, 1, 0, 0, 2, 1}), {3, 4, 3, 3}, same_size()));
      },
      images(), sizes());
  EXPECT_EQ(c.count(op::Pad), 0) << c.after.str();
  const auto pads = c.call(op::Conv).ints("pads");
  EXPECT_EQ(std::vector<int64_t>(pads.begin(), pads.end()), (std::vector<int64_t>{1, 2, 3, 2}));
}

TEST(PadIntoConv, ReadsAxes) {
  const Changed c = change(
      {"pad_into_conv"},
      [](const TensorList& x) {
        const Tensor y = op::Pad(x[0], Tensor::ints({1, 2, 0, 1}), Tensor(), Tensor::ints({-1, 2}));
        return one(conv(y, {3, 4, 3, 3}, {{"auto_pad", "VALID"}}));
      },
      images(), sizes());
  EXPECT_EQ(c.count(op::Pad), 0) << c.after.str();
}

TEST(PadIntoConv, FitsPooling) {
  const Attrs pool{{"kernel_shape", {3, 3}}, {"strides", {2, 2}}};
  const auto gone = [&](const Function& function) {
    const Changed c = change({"pad_into_conv"}, function, images(), sizes());
    EXPECT_EQ(c.count(op::Pad), 0) << c.after.str();
  };
  gone([&](const TensorList& x) {
    return one(op::AveragePool(padded(x[0], {0, 0, 1, 1, 0, 0, 1, 1}), pool));
  });
  gone([&](const TensorList& x) {
    return one(op::MaxPool(padded(op::Relu(x[0]), {0, 0, 1, 1, 0, 0, 1, 1}), pool));
  });
  gone([&](const TensorList& x) {
    return one(op::MaxPool(
        padded(x[0], {0, 0, 1, 1, 0, 0, 1, 1}, -std::numeric_limits<double>::infinity()), pool));
  });
}

TEST(PadIntoConv, LeavesAlone) {
  const Attrs pool{{"kernel_shape", {3, 3}}, {"strides", {2, 2}}};
  const auto stays = [](const Function& function) {
    const Changed c = change({"pad_into_conv"}, function, images(), sizes());
    EXPECT_EQ(c.count(op::Pad), 1) << c.after.str();
  };
  stays([](const TensorList& x) {  // not zero
    return one(conv(padded(x[0], {0, 0, 1, 1, 0, 0, 1, 1}, 1), {3, 4, 3, 3}));
  });
  stays([](const TensorList& x) {  // channels
    return one(conv(padded(x[0], {0, 1, 0, 0, 0, 1, 0, 0}), {3, 6, 3, 3}));
  });
  stays([](const TensorList& x) {  // cropped
    return one(conv(padded(x[0], {0, 0, -1, 0, 0, 0, 0, 0}), {3, 4, 3, 3}));
  });
  stays([](const TensorList& x) {  // pads that depend on the size
    return one(conv(padded(x[0], {0, 0, 1, 1, 0, 0, 1, 1}), {3, 4, 3, 3},
                    {{"auto_pad", "SAME_UPPER"}, {"strides", {2, 2}}}));
  });
  stays([](const TensorList& x) {  // another mode
    return one(
        conv(op::Pad.all({x[0], Tensor::ints({0, 0, 1, 1, 0, 0, 1, 1})}, {{"mode", "reflect"}})[0],
             {3, 4, 3, 3}));
  });
  stays([&](const TensorList& x) {  // x may be below 0
    return one(op::MaxPool(padded(x[0], {0, 0, 1, 1, 0, 0, 1, 1}), pool));
  });
  stays([&](const TensorList& x) {  // own pads, which the mean does not count
    return one(
        op::AveragePool(padded(x[0], {0, 0, 1, 1, 0, 0, 1, 1}), pool.with({"pads", {1, 1, 1, 1}})));
  });
  stays([&](const TensorList& x) {  // windows of padding alone
    return one(op::AveragePool(padded(x[0], {0, 0, 3, 3, 0, 0, 3, 3}), pool));
  });
  stays([&](const TensorList& x) {
    return one(
        op::AveragePool(padded(x[0], {0, 0, 1, 1, 0, 0, 1, 1}), pool.with({"ceil_mode", 1})));
  });
}

// -- fuse_conv, fuse_conv_more --------------------------------------------------------------------

TEST(FuseConv, TakesOverActivations) {
  struct Case {
    const char* name;
    std::function<Tensor(const Tensor&)> call;
    size_t parameters = 0;
  };
  const Case cases[] = {
      {"Relu", [](const Tensor& x) { return op::Relu(x); }},
      {"Sigmoid", [](const Tensor& x) { return op::Sigmoid(x); }},
      {"Tanh", [](const Tensor& x) { return op::Tanh(x); }},
      {"LeakyRelu",
       [](const Tensor& x) {
         return op::LeakyRelu(x, {{"alpha", 0.2}});
       },
       1},
      {"HardSigmoid",
       [](const Tensor& x) {
         return op::HardSigmoid(x, {{"alpha", 0.3}});
       },
       2},
      {"Clip", [](const Tensor& x) { return op::Clip(x, Tensor::scalar(0), Tensor::scalar(6)); },
       2},
      {"Clip", [](const Tensor& x) { return op::Clip(x, Tensor(), Tensor::scalar(1)); }, 2},
  };
  for (const Case& each : cases) {
    const Changed c = change(
        {"fuse_conv"},
        [&](const TensorList& x) {
          return one(each.call(conv(x[0], {6, 4, 3, 3}, {{"strides", {2, 1}}})));
        },
        images(), sizes());
    ASSERT_EQ(c.after.nodes().size(), 1U) << each.name << ": " << c.after.str();
    EXPECT_EQ(c.call(op::FusedConv).s("activation"), each.name);
    EXPECT_EQ(c.call(op::FusedConv).floats("activation_params").size(), each.parameters);
  }
}

TEST(FuseConv, LeavesItsOwnActivationsToFuseConvMore) {
  struct Case {
    const char* name;
    std::function<Tensor(const Tensor&)> call;
  };
  const Case cases[] = {
      {"HardSwish", [](const Tensor& x) { return op::HardSwish(x); }},
      {"Swish", [](const Tensor& x) { return op::Swish(x); }},
      {"Swish", [](const Tensor& x) { return op::QuickGelu(x); }},
      {"Gelu", [](const Tensor& x) { return op::Gelu(x); }},
      {"GeluTanh",
       [](const Tensor& x) {
         return op::Gelu(x, {{"approximate", "tanh"}});
       }},
      {"Mish", [](const Tensor& x) { return op::Mish(x); }},
      {"Elu",
       [](const Tensor& x) {
         return op::Elu(x, {{"alpha", 0.5}});
       }},
      {"Selu", [](const Tensor& x) { return op::Selu(x); }},
  };
  for (const Case& each : cases) {
    const Function function = [&](const TensorList& x) {
      return one(each.call(conv(x[0], {6, 4, 3, 3})));
    };
    EXPECT_EQ(change({"fuse_conv"}, function, images(), sizes()).count(op::FusedConv), 0);
    const Changed c = change({"fuse_conv_more"}, function, images(), sizes());
    ASSERT_EQ(c.after.nodes().size(), 1U) << each.name << ": " << c.after.str();
    EXPECT_EQ(c.call(op::FusedConv).s("activation"), each.name);
  }
}

TEST(FuseConv, TakesOverResidualSums) {
  for (bool first : {false, true}) {
    const Changed c = change(
        {"fuse_conv"},
        [&](const TensorList& x) {
          const Tensor y = conv(x[0], {4, 4, 3, 3}, same_size(), false);
          return one(op::Relu(first ? y + x[0] : x[0] + y));
        },
        images(), sizes());
    ASSERT_EQ(c.after.nodes().size(), 1U) << c.after.str();
    EXPECT_EQ(c.after.nodes()[0].inputs.size(), 4U);
    EXPECT_EQ(c.call(op::FusedConv).s("activation"), "Relu");
  }
}

TEST(FuseConv, JoinsTwoConvolutionsOnce) {
  const Changed c = change(
      {"fuse_conv"},
      [](const TensorList& x) {
        const Tensor stem = op::Relu(conv(x[0], {6, 4, 1, 1}));
        const Tensor left = conv(stem, {5, 6, 3, 3}, same_size());
        return one(op::Relu(left + conv(stem, {5, 6, 1, 1})));
      },
      images(), sizes());
  EXPECT_EQ(c.after.nodes().size(), 3U) << c.after.str();
  EXPECT_EQ(c.count(op::FusedConv), 2) << c.after.str();
}

TEST(FuseConv, KeepsASumThatOthersRead) {
  const Changed c = change(
      {"fuse_conv"},
      [](const TensorList& x) {
        const Tensor y = conv(x[0], {4, 4, 3, 3}, same_size()) + x[0];
        return TensorList{op::Relu(y), y * Tensor::scalar(2)};
      },
      images(), sizes());
  EXPECT_EQ(c.count(op::Add), 0) << c.after.str();
  EXPECT_EQ(c.count(op::Relu), 1) << c.after.str();
  EXPECT_EQ(c.call(op::FusedConv).s("activation"), "");
}

TEST(FuseConv, LeavesAlone) {
  const auto untouched = [](const Function& function) {
    const Changed c =
        change({"fuse_conv", "fuse_conv_more"}, function, images(), {{1, 4, 6, 5}, {2, 4, 9, 8}});
    EXPECT_EQ(c.count(op::FusedConv), 0) << c.after.str();
  };
  untouched([](const TensorList& x) {  // a second reader
    const Tensor y = conv(x[0], {4, 4, 1, 1});
    return TensorList{op::Relu(y), op::Tanh(y)};
  });
  untouched([](const TensorList& x) {  // an output
    const Tensor y = conv(x[0], {4, 4, 1, 1});
    return TensorList{y, op::Relu(y)};
  });
  untouched([](const TensorList& x) {  // twice itself
    const Tensor y = conv(x[0], {4, 4, 1, 1});
    return one(y + y);
  });
  untouched([](const TensorList& x) {  // broadcast
    return one(conv(x[0], {4, 4, 1, 1}) + op::ReduceMax(x[0], Tensor::ints({1})));
  });
  untouched([](const TensorList& x) {  // bounds the wrong way round
    return one(op::Clip(conv(x[0], {4, 4, 1, 1}), Tensor::scalar(2), Tensor::scalar(1)));
  });
  untouched([](const TensorList& x) {  // a bound that is computed
    return one(op::Clip(conv(x[0], {4, 4, 1, 1}), x[0].sum(), Tensor()));
  });
}

TEST(FuseConv, LeavesSumsOfUnknownSizes) {
  const Changed c = change(
      {"fuse_conv"},
      [](const TensorList& x) {
        // Inference does not follow sizes through floats.
        const Tensor sizes_of_x = op::Shape(x[0]).to(DType::f32).to(DType::i64);
        return one(conv(x[0], {4, 4, 1, 1}) + op::Reshape(x[0], sizes_of_x));
      },
      images(), sizes());
  EXPECT_EQ(c.count(op::FusedConv), 0) << c.after.str();
}

TEST(FuseConv, HalvesAreForFuseConvMore) {
  const Function function = [](const TensorList& x) {
    return one(op::Relu(
        op::Conv(x[0], randn({6, 4, 3, 3}).to(DType::f16), randn({6}).to(DType::f16), Attrs{})));
  };
  const std::vector<Shape> shapes{{1, 4, 6, 5}};
  EXPECT_EQ(change({"fuse_conv"}, function, images(), shapes, DType::f16).count(op::FusedConv), 0);
  EXPECT_EQ(change({"fuse_conv_more"}, function, images(), shapes, DType::f16).count(op::FusedConv),
            1);
}

TEST(FuseConv, PortablePassesStayPortable) {
  Graph g = graph::capture(
      [](const TensorList& x) {
        return one(op::HardSwish(conv(batch_norm(x[0], 4), {4, 4, 3, 3}, same_size())));
      },
      {{"x", DType::f32, images()}});
  for (const graph::PassResult& result : graph::run_passes(g, {.portable = true}))
    EXPECT_TRUE(result.pass->name != "fuse_conv_more" && result.pass->name != "split_batch_norm");
}

}  // namespace
}  // namespace tenon
