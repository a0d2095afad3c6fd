// Quantised graphs: close to what they were in floats, of integers after the passes, and other
// runtimes' operators throughout.
#include "graph/quantize/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "formats/onnx/export.h"
#include "graph/capture.h"
#include "graph/interpreter.h"
#include "graph/pass.h"
#include "graph/quantize/dynamic.h"
#include "graph/quantize/equalize.h"
#include "graph/quantize/sensitivity.h"
#include "graph/quantize/weights.h"
#include "ops/math/catalog.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/quant/catalog.h"
#include "ops/shape/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"

namespace tenon {
namespace {

using graph::Dataset;
using graph::Graph;
using graph::Interpreter;

// Two convolutions, a residual sum, pooling, a linear layer.
Graph small_network() {
  manual_seed(5);
  const Tensor w1 = randn({8, 3, 3, 3}) * 0.3, b1 = randn({8}) * 0.1;
  const Tensor w2 = randn({8, 8, 3, 3}) * 0.15, b2 = randn({8}) * 0.1;
  const Tensor w3 = randn({5, 8}) * 0.4, b3 = randn({5}) * 0.1;
  return graph::capture(
      [&](const TensorList& x) {
        const Attrs pads{{"pads", {1, 1, 1, 1}}};
        const Tensor one = op::Relu(op::Conv(x[0], w1, b1, pads));
        const Tensor two = op::Conv(one, w2, b2, pads);
        const Tensor pooled = op::GlobalAveragePool(op::Relu(op::Add(one, two)));
        return TensorList{op::Gemm(op::Flatten(pooled), w3, b3, {{"transB", 1}})};
      },
      {{"image", DType::f32, {Dim::symbol("batch"), 3, 8, 8}}}, {"scores"});
}

Dataset samples_of(const Shape& shape, size_t count) {
  return {count, [shape](size_t i) {
            manual_seed(100 + i);
            return TensorList{randn(shape)};
          }};
}

int count_of(const Graph& g, const OpDef& op) {
  return static_cast<int>(std::ranges::count(g.nodes(), &op, &graph::Node::op));
}

// The root mean square of the differences over that of the values.
double relative_error(const Graph& wanted, const Graph& given, const Dataset& data) {
  const NoGrad no_grad;
  double noise = 0, signal = 0;
  for (size_t i = 0; i < data.size; ++i) {
    const auto a = Interpreter(wanted).run(data.get(i))[0].to_vector<double>();
    const auto b = Interpreter(given).run(data.get(i))[0].to_vector<double>();
    for (size_t k = 0; k < a.size(); ++k) {
      noise += (a[k] - b[k]) * (a[k] - b[k]);
      signal += a[k] * a[k];
    }
  }
  return std::sqrt(noise / signal);
}

Dataset images() { return samples_of({2, 3, 8, 8}, 12); }

TEST(Quantize, StaysCloseWithEveryCalibrator) {
  const Graph g = small_network();
  for (const graph::Calibrator how : {graph::Calibrator::min_max, graph::Calibrator::percentile,
                                      graph::Calibrator::entropy, graph::Calibrator::mse}) {
    const Graph made = graph::quantize(g, images(), {.calibrator = how});
    made.verify();
    EXPECT_EQ(made.value(made.inputs[0]).name, "image");
    EXPECT_EQ(made.value(made.outputs[0]).name, "scores");
    EXPECT_EQ(made.value(made.outputs[0]).type.str(), "f32[batch, 5]");
    EXPECT_LT(relative_error(g, made, images()), 0.06) << static_cast<int>(how);
  }
}

TEST(Quantize, StaysCloseInEveryForm) {
  const Graph g = small_network();
  graph::QuantizeOptions symmetric, narrow, whole, even;
  symmetric.symmetric_activations = true;
  narrow.reduced_range = true;
  whole.per_channel = false;
  even.equalize = true;
  for (const graph::QuantizeOptions& options : {symmetric, narrow, whole, even})
    EXPECT_LT(relative_error(g, graph::quantize(g, images(), options), images()), 0.1);
}

TEST(Quantize, BecomesOperatorsOfIntegers) {
  const Graph g = small_network();
  const Graph made = graph::quantize(g, images());
  Graph folded = made;
  graph::run_passes(folded, {.only = {"move_qdq", "fold_qdq"}, .verify = true});
  EXPECT_EQ(count_of(folded, op::QLinearConv), 2) << folded.str();
  EXPECT_EQ(count_of(folded, op::QLinearAdd), 1) << folded.str();
  EXPECT_EQ(count_of(folded, op::QLinearGlobalAveragePool), 1) << folded.str();
  EXPECT_EQ(count_of(folded, op::QGemm), 1) << folded.str();
  EXPECT_EQ(count_of(folded, op::DequantizeLinear), 0) << folded.str();
  EXPECT_EQ(count_of(folded, op::QuantizeLinear), 1) << folded.str();  // of the image
  EXPECT_LT(relative_error(made, folded, images()), 0.02);
}

TEST(Quantize, ExportsToOnnx) {
  const Graph made = graph::quantize(small_network(), images());
  EXPECT_GT(formats::export_onnx_bytes(made, {.opset = 17}).size(), 1000U);
}

TEST(Quantize, LeavesWhatItIsToldTo) {
  const Graph g = small_network();
  Graph made = graph::quantize(g, images(), {.without_operators = {"Gemm"}});
  graph::run_passes(made, {.only = {"move_qdq", "fold_qdq"}});
  EXPECT_EQ(count_of(made, op::QGemm), 0);
  EXPECT_EQ(count_of(made, op::QLinearConv), 2);
  EXPECT_THROW(graph::quantize(g, images(), {.operators = {"Convv"}}), Error);
  EXPECT_THROW(graph::quantize(g, {}), Error);
}

TEST(Quantize, FindsTheMostHarmfulLayer) {
  const graph::Quantizer quantizer(small_network(), images());
  ASSERT_EQ(quantizer.layers().size(), 3U);
  const auto errors = graph::layer_errors(quantizer, images());
  ASSERT_EQ(errors.size(), 3U);
  for (size_t i = 0; i < errors.size(); ++i) {
    EXPECT_GT(errors[i].signal_to_noise, 25) << errors[i].layer;
    if (i == 0) continue;
    EXPECT_LE(errors[i - 1].signal_to_noise, errors[i].signal_to_noise);
  }
}

TEST(Quantize, PutsLayersBackUntilTheLimitHolds) {
  const graph::Quantizer quantizer(small_network(), images());
  // A metric that falls with the error.
  const graph::Metric metric = [&](const Graph& g) {
    return 1 - relative_error(quantizer.original(), g, images());
  };
  const auto loose = graph::quantize_within(quantizer, images(), metric, 0.5);
  EXPECT_TRUE(loose.in_floats.empty());
  const double lost = loose.before - loose.after;
  ASSERT_GT(lost, 0);
  const auto tight = graph::quantize_within(quantizer, images(), metric, lost * 0.9);
  EXPECT_FALSE(tight.in_floats.empty());
  EXPECT_LE(tight.before - tight.after, lost * 0.9);
  const auto none = graph::quantize_within(quantizer, images(), metric, 0);
  EXPECT_EQ(none.in_floats.size(), 3U);
}

TEST(Quantize, EvensOutScalesExactly) {
  manual_seed(8);
  Tensor w1 = randn({4, 3, 3, 3});
  for (int64_t i = 0; i < 27; ++i) w1.data<float>()[i] *= 300;  // one map out of proportion
  const Tensor w2 = randn({6, 4, 1, 1}), b1 = randn({4});
  const Graph g = graph::capture(
      [&](const TensorList& x) {
        return TensorList{op::Conv(op::Relu(op::Conv(x[0], w1, b1)), w2)};
      },
      {{"x", DType::f32, {1, 3, 6, 6}}});
  Graph even = g;
  EXPECT_EQ(graph::equalize_layers(even), 1);
  const Dataset data = samples_of({1, 3, 6, 6}, 3);
  EXPECT_LT(relative_error(g, even, data), 1e-5);
  graph::QuantizeOptions options;
  options.per_channel = false;
  options.correct_bias = false;
  const double before = relative_error(g, graph::quantize(g, data, options), data);
  options.equalize = true;
  EXPECT_LT(relative_error(g, graph::quantize(g, data, options), data), before);
}

TEST(Quantize, CorrectsTheMeanOfRounding) {
  // Inputs of mean 1: rounding that goes one way shifts every sum.
  const Tensor w = Tensor::from<float>({1, 0.0055F, 0.0055F, 0.0055F}, {1, 4});
  const auto rounded = graph::quantize_weights(w, {}, 1, {0, 127, true});
  const std::vector<double> means{1, 1, 1, 1};
  const auto bias = graph::corrected_bias(w, {}, rounded, {0, 1, means}).to_vector<float>();
  const float step = 1.0F / 127;
  EXPECT_NEAR(bias[0], 3 * (0.0055F - step), 1e-6);
}

// A feed-forward block of a transformer.
Graph products() {
  manual_seed(6);
  const Tensor w1 = randn({32, 48}) * 0.2, b1 = randn({48}) * 0.1;
  const Tensor w2 = randn({32, 48}) * 0.2, w3 = randn({7, 48}) * 0.2, b3 = randn({7}) * 0.1;
  return graph::capture(
      [&](const TensorList& x) {
        const Tensor one = op::Add(op::MatMul(x[0], w1), b1), two = op::MatMul(x[0], w2);
        const Tensor y = op::Reshape(op::Mul(op::Tanh(one), two), Tensor::ints({-1, 48}));
        return TensorList{op::Gemm(y, w3, b3, {{"transB", 1}})};
      },
      {{"x", DType::f32, {Dim::symbol("batch"), 4, 32}}}, {"y"});
}
Dataset rows() { return samples_of({2, 4, 32}, 4); }

TEST(Quantize, QuantisesProductsAsTheyCome) {
  const Graph g = products();
  Graph made = graph::quantize_dynamic(g);
  made.verify();
  EXPECT_EQ(count_of(made, op::MatMulInteger), 3);
  EXPECT_EQ(count_of(made, op::DynamicQuantizeLinear), 2);  // x is read twice
  EXPECT_LT(relative_error(g, made, rows()), 0.03);
  EXPECT_GT(formats::export_onnx_bytes(made, {.opset = 17}).size(), 1000U);
  graph::run_passes(made, {.only = {"fold_qdq"}, .verify = true});
  EXPECT_EQ(count_of(made, op::MatMulIntegerToFloat), 3) << made.str();
  EXPECT_LT(relative_error(g, made, rows()), 0.03);
}

TEST(Quantize, QuantisesWeightsAlone) {
  const Graph g = products();
  for (const bool symmetric : {false, true}) {
    const Graph four = graph::quantize_weights_only(g, {.block_size = 16, .symmetric = symmetric});
    const Graph eight = graph::quantize_weights_only(g, {.bits = 8, .symmetric = symmetric});
    EXPECT_EQ(count_of(four, op::MatMulNBits), 3);
    EXPECT_LT(relative_error(g, four, rows()), 0.2);
    EXPECT_LT(relative_error(g, eight, rows()), 0.012);
  }
  EXPECT_THROW(graph::quantize_weights_only(g, {.bits = 3}), Error);
  EXPECT_THROW(graph::quantize_weights_only(g, {.block_size = 24}), Error);
  EXPECT_EQ(count_of(graph::quantize_weights_only(g, {.without_layers = {"y"}}), op::MatMulNBits),
            2);
}

}  // namespace
}  // namespace tenon
