// Convolutions by oneDNN: what follows them, layouts, and weights packed once.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/packed_store.h"
#include "runtime/prepared_call.h"
#include "runtime/random.h"

namespace tenon {
namespace {

void expect_close(const Tensor& got, const Tensor& want, double slack, const std::string& what) {
  ASSERT_EQ(got.shape(), want.shape()) << what;
  const auto a = got.to_vector<double>(), b = want.to_vector<double>();
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], slack * (1 + std::fabs(b[i]))) << what << " at " << i;
}

Tensor expected(const OpDef& op, const TensorList& inputs, const Attrs& attrs) {
  const BackendScope scope(Backend::expansion);
  return op.all(inputs, attrs)[0];
}

std::vector<const Tensor*> pointers(const TensorList& inputs) {
  std::vector<const Tensor*> list;
  for (const Tensor& input : inputs) list.push_back(&input);
  return list;
}

// As a plan runs it: weights and bias constant.
struct Planned {
  std::unique_ptr<PreparedCall> call;

  Planned(const OpDef& op, const TensorList& inputs, const Attrs& attrs, PackedStore& store,
          std::string_view kernel)
      : call(prepare_call(op, pointers(inputs), attrs, 1,
                          {.backend = Backend::cpu,
                           .packed = &store,
                           .constant = {false, true, true},
                           .kernel = kernel})) {}

  Tensor run(const TensorList& inputs) const {
    std::vector<const void*> in(call->op->inputs.size(), nullptr);
    for (size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i].defined()) in[i] = inputs[i].raw();
    const TensorSpec& y = call->outputs[0];
    Tensor result = Tensor::empty_strided(y.shape, y.strides, y.dtype);
    Tensor scratch =
        Tensor::empty({static_cast<int64_t>(call->kernel->scratch_bytes) + 1}, DType::u8);
    void* out[] = {result.raw()};
    call->kernel->run({in.data(), out, scratch.raw(), {}, nullptr});
    return result;
  }
};

Attr parameters(std::vector<double> values) {
  return {"activation_params", AttrValue(std::move(values))};
}

TEST(OneDnnConv, FusesActivations) {
  manual_seed(3);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Attrs pads{{"pads", {1, 0, 1, 2}}};
  const auto with = [&](const char* activation, std::vector<double> values = {}) {
    const Attrs attrs = pads.with({"activation", activation});
    return values.empty() ? attrs : attrs.with(parameters(std::move(values)));
  };
  const Attrs cases[] = {pads,
                         with("Relu"),
                         with("Sigmoid"),
                         with("Tanh"),
                         with("LeakyRelu"),
                         with("LeakyRelu", {0.3}),
                         with("Clip", {-0.5, 1}),
                         with("Clip", {0, kInfinity}),
                         with("Clip", {-kInfinity, 0.5}),
                         with("Clip", {0.25}),
                         with("HardSigmoid"),
                         with("HardSigmoid", {0.3, 0.4}),
                         with("HardSwish"),
                         with("Swish"),
                         with("Swish", {1.702}),
                         with("Gelu"),
                         with("GeluTanh"),
                         with("Mish"),
                         with("Elu"),
                         with("Elu", {0.5}),
                         with("Selu")};
  for (const Attrs& attrs : cases)
    for (bool bias : {false, true})
      for (bool residual : {false, true}) {
        const TensorList inputs{randn({2, 5, 7, 6}), randn({11, 5, 3, 3}),
                                bias ? randn({11}) : Tensor(),
                                residual ? randn({2, 11, 7, 6}) : Tensor()};
        PackedStore store;
        const Planned planned(op::FusedConv, inputs, attrs, store, "cpu.onednn_fused_conv");
        ASSERT_TRUE(planned.call->kernel) << attrs.str();
        expect_close(planned.run(inputs), expected(op::FusedConv, inputs, attrs), 1e-5,
                     attrs.str());
      }
}

TEST(OneDnnConv, TakesImagesOfAnyOrder) {
  manual_seed(4);
  const Attrs attrs{{"activation", "Relu"}, {"strides", {2, 1}}};
  const auto last = [](const Tensor& x) {
    return x.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2});
  };
  const Tensor x = randn({2, 8, 9, 7}), z = randn({2, 16, 4, 5});
  for (bool x_last : {false, true})
    for (bool z_last : {false, true}) {
      const TensorList inputs{x_last ? last(x) : x, randn({16, 8, 3, 3}), randn({16}),
                              z_last ? last(z) : z};
      PackedStore store;
      const Planned planned(op::FusedConv, inputs, attrs, store, "cpu.onednn_fused_conv");
      ASSERT_TRUE(planned.call->kernel);
      EXPECT_FALSE(planned.call->outputs[0].contiguous);
      expect_close(planned.run(inputs), expected(op::FusedConv, inputs, attrs), 1e-5, "order");
    }
}

TEST(OneDnnConv, TakesGroupsAndAxes) {
  manual_seed(5);
  struct Case {
    Shape x, weights;
    Attrs attrs;
  };
  const Case cases[] = {
      {{2, 12, 9, 9}, {12, 1, 3, 3}, {{"group", 12}, {"pads", {1, 1, 1, 1}}}},
      {{1, 20, 8, 8}, {20, 1, 5, 5}, {{"group", 20}, {"strides", {2, 2}}, {"pads", {2, 2, 1, 1}}}},
      {{1, 8, 6, 6}, {16, 1, 3, 3}, {{"group", 8}}},
      {{1, 8, 9, 9}, {8, 1, 3, 3}, {{"group", 8}, {"dilations", {2, 2}}}},
      {{1, 6, 6, 6}, {9, 2, 1, 1}, {{"group", 3}}},
      {{2, 16, 20}, {16, 1, 5}, {{"group", 16}, {"pads", {4, 0}}}},
      {{2, 6, 20}, {4, 3, 3}, {{"group", 2}, {"strides", {2}}, {"dilations", {3}}}},
      {{2, 6, 20}, {4, 6, 3}, {}},
      {{1, 3, 4, 5, 6}, {7, 3, 2, 3, 1}, {}},
      {{3, 10, 1, 1}, {6, 10, 1, 1}, {}},
      {{1, 1, 5, 5}, {1, 1, 5, 5}, {{"auto_pad", "SAME_LOWER"}}},
  };
  for (const Case& each : cases) {
    const TensorList inputs{randn(each.x), randn(each.weights), randn({each.weights[0]})};
    for (const OpDef* op : {&op::Conv, &op::FusedConv}) {
      const std::string what = std::string(op->name) + " " + each.x.str();
      PackedStore store;
      const bool fused = op == &op::FusedConv;
      const Planned planned(*op, inputs, each.attrs, store,
                            fused ? "cpu.onednn_fused_conv" : "cpu.onednn_conv");
      ASSERT_TRUE(planned.call->kernel) << what;
      const BackendScope scope(Backend::reference);
      const Tensor want = op::Conv.all(inputs, each.attrs)[0];
      expect_close(planned.run(inputs), want, 1e-5, what);
    }
  }
}

TEST(OneDnnConv, RunsDepthwiseGradientsOverOneAxis) {
  manual_seed(6);
  const Tensor x = randn({2, 8, 12}), weights = randn({8, 1, 3}), dy = randn({2, 8, 10});
  const Attrs input_attrs{{"group", 8}, {"input_spatial", {12}}};
  const Attrs weight_attrs{{"group", 8}, {"kernel_shape", {3}}};
  const auto on = [&](Backend backend, const OpDef& op, const TensorList& inputs,
                      const Attrs& attrs) {
    const BackendScope scope(backend);
    return op.all(inputs, attrs)[0];
  };
  expect_close(on(Backend::cpu, op::ConvInputGrad, {dy, weights}, input_attrs),
               on(Backend::reference, op::ConvInputGrad, {dy, weights}, input_attrs), 1e-5, "dx");
  expect_close(on(Backend::cpu, op::ConvWeightGrad, {x, dy}, weight_attrs),
               on(Backend::reference, op::ConvWeightGrad, {x, dy}, weight_attrs), 1e-5, "dw");
}

TEST(OneDnnConv, PacksConstantWeightsOnce) {
  manual_seed(7);
  PackedStore store;
  const TensorList inputs{randn({1, 16, 10, 10}), randn({32, 16, 3, 3}), randn({32})};
  const Planned first(op::Conv, inputs, {}, store, "cpu.onednn_conv");
  const int64_t bytes = store.bytes();
  EXPECT_GE(bytes, static_cast<int64_t>(inputs[1].bytes()));
  const TensorList larger{randn({2, 16, 14, 14}), inputs[1], inputs[2]};
  const Planned second(op::Conv, larger, {}, store, "cpu.onednn_conv");
  EXPECT_EQ(store.bytes(), bytes);
  expect_close(second.run(larger), expected(op::Conv, larger, {}), 1e-5, "second plan");
  expect_close(first.run(inputs), expected(op::Conv, inputs, {}), 1e-5, "first plan");
}

TEST(OneDnnConv, PacksTheWeightsOfTransposedConvolutions) {
  manual_seed(8);
  for (int64_t group : {1, 2}) {
    PackedStore store;
    const Attrs attrs{{"group", group}, {"strides", {2, 2}}};
    const TensorList inputs{randn({1, 8, 5, 5}), randn({8, 6, 3, 3}), randn({6 * group})};
    const Planned planned(op::ConvTranspose, inputs, attrs, store, "cpu.onednn_conv_transpose");
    ASSERT_TRUE(planned.call->kernel);
    expect_close(planned.run(inputs), expected(op::ConvTranspose, inputs, attrs), 1e-5, "y");
  }
}

TEST(OneDnnConv, WidensConstantHalvesOnce) {
  manual_seed(9);
  for (DType type : {DType::f16, DType::bf16}) {
    PackedStore store;
    const TensorList inputs{randn({1, 8, 6, 6}).to(type), randn({16, 8, 3, 3}).to(type),
                            randn({16}).to(type), randn({1, 16, 4, 4}).to(type)};
    const Attrs attrs{{"activation", "Relu"}};
    const Planned planned(op::FusedConv, inputs, attrs, store, "cpu.onednn_fused_conv_half");
    ASSERT_TRUE(planned.call->kernel);
    const int64_t bytes = store.bytes();
    EXPECT_GE(bytes, inputs[1].numel() * 4);
    const Planned again(op::FusedConv, inputs, attrs, store, "cpu.onednn_fused_conv_half");
    EXPECT_EQ(store.bytes(), bytes);
    // The expansion rounds the sum before it adds Z.
    expect_close(again.run(inputs), expected(op::FusedConv, inputs, attrs),
                 type == DType::f16 ? 4e-3 : 3e-2, std::string(name(type)));
  }
}

TEST(OneDnnConv, WinogradAgreesWhereItRuns) {
  manual_seed(10);
  const Attrs attrs{{"pads", {1, 1, 1, 1}}, {"activation", "Relu"}};
  const TensorList inputs{randn({1, 32, 14, 13}), randn({32, 32, 3, 3}), randn({32}),
                          randn({1, 32, 14, 13})};
  PackedStore store;
  const PrepareOptions options{
      .backend = Backend::cpu, .packed = &store, .constant = {false, true, true}};
  bool runs = false;
  for (std::string_view kernel :
       accepting_kernels(op::FusedConv, pointers(inputs), attrs, 1, options))
    runs = runs || kernel == "cpu.onednn_fused_conv_winograd";
  if (!runs) GTEST_SKIP() << "oneDNN has f32 Winograd for AVX-512 only";
  const Planned planned(op::FusedConv, inputs, attrs, store, "cpu.onednn_fused_conv_winograd");
  expect_close(planned.run(inputs), expected(op::FusedConv, inputs, attrs), 2e-4, "winograd");
}

TEST(OneDnnConv, RefusesActivationsThatOneDnnLacks) {
  const TensorList inputs{randn({1, 4, 6, 6}), randn({4, 4, 3, 3})};
  for (const char* activation : {"Softsign", "Softplus", "ThresholdedRelu"}) {
    PackedStore store;
    const Attrs attrs{{"activation", activation}};
    const Planned planned(op::FusedConv, inputs, attrs, store, "cpu.onednn_fused_conv");
    EXPECT_TRUE(!planned.call->entry || planned.call->entry->name != "cpu.onednn_fused_conv")
        << activation;
  }
}

}  // namespace
}  // namespace tenon
