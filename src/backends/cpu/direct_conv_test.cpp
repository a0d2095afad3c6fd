// Direct convolutions against plain loops in f64, on every instruction set: windows of every kind,
// channels and maps that fill no vector, few maps, every activation, inputs in any order.
#include "backends/cpu/direct_conv.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backends/cpu/testing.h"
#include "base/threads.h"
#include "ops/microsoft/catalog.h"
#include "ops/nn/catalog.h"
#include "runtime/packed_store.h"
#include "runtime/prepared_call.h"
#include "runtime/random.h"

namespace tenon::cpu {

namespace {

// Images channels-last.
struct Problem {
  DirectConvShape shape;
  Tensor x, weights, bias, residual;

  explicit Problem(const DirectConvShape& s) : shape(s) {
    x = randn({s.batch, s.height, s.width, s.channels});
    weights = randn({s.maps, s.channels, s.kernel_height, s.kernel_width});
    bias = randn({s.maps});
    residual = randn({s.batch, s.out_height, s.out_width, s.maps});
  }

  double sum(int64_t n, int64_t row, int64_t column, int64_t map) const {
    const DirectConvShape& s = shape;
    double total = 0;
    for (int64_t i = 0; i < s.kernel_height; ++i)
      for (int64_t j = 0; j < s.kernel_width; ++j) {
        const int64_t at_y = row * s.stride_y - s.pad_top + i * s.dilation_y;
        const int64_t at_x = column * s.stride_x - s.pad_left + j * s.dilation_x;
        if (at_y < 0 || at_y >= s.height || at_x < 0 || at_x >= s.width) continue;
        const float* pixel =
            x.data<float>() + ((n * s.height + at_y) * s.width + at_x) * s.channels;
        for (int64_t c = 0; c < s.channels; ++c)
          total += static_cast<double>(pixel[c]) *
                   static_cast<double>(
                       weights.data<float>()[((map * s.channels + c) * s.kernel_height + i) *
                                                 s.kernel_width +
                                             j]);
      }
    return total;
  }
  // Relu(convolution + bias + residual), [batch, rows, columns, maps]
  std::vector<double> expected() const {
    const DirectConvShape& s = shape;
    std::vector<double> y = residual.to_vector<double>();
    size_t at = 0;
    for (int64_t n = 0; n < s.batch; ++n)
      for (int64_t row = 0; row < s.out_height; ++row)
        for (int64_t column = 0; column < s.out_width; ++column)
          for (int64_t map = 0; map < s.maps; ++map, ++at)
            y[at] = std::max(
                y[at] + static_cast<double>(bias.data<float>()[map]) + sum(n, row, column, map),
                0.0);
    return y;
  }

  // As expected() has it, whatever order the convolution writes.
  std::vector<double> run() const {
    const DirectConv conv(shape);
    Tensor packed = Tensor::empty({conv.packed_floats()}, DType::f32);
    conv.pack(weights.data<float>(), packed.data<float>());
    Tensor scratch = Tensor::full({static_cast<int64_t>(conv.scratch_bytes())}, 0xff, DType::u8);
    const Tensor z = conv.has_few_maps() ? residual.permute({0, 3, 1, 2}).contiguous() : residual;
    // Behind the result nothing may be written.
    Tensor y = Tensor::full({z.numel() + 64}, 7, DType::f32);
    const bool in_place = conv.writes_in_order();
    if (in_place) std::copy_n(z.data<float>(), z.numel(), y.data<float>());
    ConvFinish finish;
    finish.clamp.at_least = true;
    conv.run({x.data<float>(), packed.data<float>(), bias.data<float>(),
              in_place ? y.data<float>() : z.data<float>(), y.data<float>()},
             finish, scratch.raw());
    for (int64_t i = z.numel(); i < y.numel(); ++i) EXPECT_EQ(y.data<float>()[i], 7) << i;
    const Tensor made = y.slice(0, 0, z.numel()).reshape(z.shape());
    return (conv.has_few_maps() ? made.permute({0, 2, 3, 1}) : made).to_vector<double>();
  }
};

// Relative to the largest.
double error(const std::vector<double>& got, const std::vector<double>& want) {
  double most = 0, largest = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double difference = std::abs(got[i] - want[i]);
    if (!(difference <= most)) most = difference;  // NaN too
    largest = std::max(largest, std::abs(want[i]));
  }
  return most / largest;
}

struct Window {
  int64_t size, stride, dilation, pad;
};

DirectConvShape shape(int64_t batch, int64_t channels, int64_t maps, int64_t height, int64_t width,
                      Window w) {
  const auto out = [&](int64_t size) {
    return (size + 2 * w.pad - (w.size - 1) * w.dilation - 1) / w.stride + 1;
  };
  return {.batch = batch,
          .channels = channels,
          .maps = maps,
          .height = height,
          .width = width,
          .out_height = out(height),
          .out_width = out(width),
          .kernel_height = w.size,
          .kernel_width = w.size,
          .stride_y = w.stride,
          .stride_x = w.stride,
          .dilation_y = w.dilation,
          .dilation_x = w.dilation,
          .pad_top = w.pad,
          .pad_left = w.pad};
}

TEST(DirectConv, AgreesWithLoopsOnEveryTarget) {
  manual_seed(6);
  const DirectConvShape shapes[] = {
      shape(1, 1, 1, 5, 4, {1, 1, 1, 0}),     shape(2, 3, 24, 17, 19, {5, 2, 1, 2}),
      shape(1, 16, 16, 7, 7, {3, 1, 1, 1}),   shape(2, 20, 37, 9, 5, {3, 1, 1, 1}),
      shape(1, 33, 17, 8, 8, {3, 1, 2, 2}),   shape(3, 40, 50, 13, 11, {1, 1, 1, 0}),
      shape(1, 24, 28, 10, 10, {1, 2, 1, 0}), shape(1, 5, 9, 6, 6, {4, 3, 1, 3}),
      shape(1, 300, 130, 7, 7, {3, 1, 1, 1}), shape(2, 16, 3, 15, 14, {9, 1, 1, 4}),
      shape(1, 64, 1, 13, 12, {3, 1, 1, 1}),  shape(2, 67, 2, 9, 9, {1, 1, 1, 0}),
      shape(1, 19, 4, 11, 10, {5, 2, 1, 1}),  shape(1, 24, 3, 12, 12, {5, 1, 2, 4}),
      shape(1, 100, 7, 3, 3, {3, 1, 1, 1}),   shape(1, 700, 48, 2, 30, {1, 1, 1, 0}),
      shape(1, 8, 100, 25, 31, {2, 1, 1, 1})};
  on_every_target([&] {
    for (const DirectConvShape& s : shapes) {
      SCOPED_TRACE(fmt::format("{}x{}x{}x{} to {} maps, windows of {}", s.batch, s.channels,
                               s.height, s.width, s.maps, s.kernel_width));
      const Problem problem(s);
      const std::vector<double> want = problem.expected();
      for (const int threads : {1, 3}) {
        const ThreadLimit limit(threads);
        EXPECT_LT(error(problem.run(), want), 2e-6) << threads;
      }
    }
  });
}

// As a plan runs it: weights and bias constant.
std::unique_ptr<PreparedCall> prepared(const OpDef& op, const TensorList& inputs,
                                       const Attrs& attrs, PackedStore& store,
                                       std::string_view kernel) {
  std::vector<const Tensor*> list;
  for (const Tensor& input : inputs) list.push_back(&input);
  return prepare_call(op, list, attrs, 1,
                      {.backend = Backend::cpu,
                       .packed = &store,
                       .constant = {false, true, true},
                       .kernel = kernel});
}

Tensor run(const PreparedCall& call, const TensorList& inputs) {
  std::vector<const void*> in(call.op->inputs.size(), nullptr);
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].defined()) in[i] = inputs[i].raw();
  const TensorSpec& y = call.outputs[0];
  Tensor result = Tensor::empty_strided(y.shape, y.strides, y.dtype);
  Tensor scratch =
      Tensor::full({static_cast<int64_t>(call.kernel->scratch_bytes) + 1}, 0xff, DType::u8);
  void* out[] = {result.raw()};
  call.kernel->run({in.data(), out, scratch.raw(), {}, nullptr});
  return result;
}

void expect_close(const Tensor& got, const Tensor& want, const std::string& what) {
  ASSERT_EQ(got.shape(), want.shape()) << what;
  const auto a = got.to_vector<double>(), b = want.to_vector<double>();
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], 2e-5 * (1 + std::fabs(b[i]))) << what << " at " << i;
}

TEST(DirectConv, RunsEveryFormOfItsOperators) {
  manual_seed(7);
  struct Case {
    Shape x, weights;
    Attrs attrs;
  };
  const Case cases[] = {
      {{2, 3, 12, 11}, {20, 3, 3, 3}, {{"pads", {1, 0, 1, 2}}, {"strides", {2, 1}}}},
      {{2, 12, 9, 8}, {20, 12, 3, 2}, {{"auto_pad", "SAME_UPPER"}, {"dilations", {2, 1}}}},
      {{1, 16, 9, 9}, {3, 16, 5, 5}, {{"pads", {2, 2, 2, 2}}}},
      {{2, 7, 20}, {10, 7, 5}, {{"pads", {4, 1}}, {"strides", {3}}}},
      {{2, 3, 20}, {10, 3, 4}, {{"pads", {2, 0}}}},
      {{1, 10, 4, 6}, {24, 10, 1, 1}, {}},
  };
  const auto last = [](const Tensor& x) {
    if (x.rank() == 3) return x.permute({0, 2, 1}).contiguous().permute({0, 2, 1});
    return x.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2});
  };
  for (const Case& each : cases) {
    const Tensor x = randn(each.x), w = randn(each.weights), bias = randn({each.weights[0]});
    const auto expected = [&](const OpDef& op, const TensorList& inputs, const Attrs& attrs) {
      const BackendScope scope(Backend::expansion);
      return op.all(inputs, attrs)[0];
    };
    const Tensor z = randn(expected(op::Conv, {x, w}, each.attrs).shape());
    for (const char* activation : {"", "Relu", "LeakyRelu", "Clip", "Swish", "Softsign"})
      for (const bool reordered : {false, true}) {
        Attrs attrs = each.attrs.with({"activation", activation});
        if (std::string_view(activation) == "Clip")
          attrs = attrs.with({"activation_params", AttrValue(std::vector<double>{-0.5, 1.5})});
        const std::string what = each.x.str() + " " + attrs.str();
        const TensorList inputs{reordered ? last(x) : x, w, bias, reordered ? last(z) : z};
        PackedStore store;
        const auto call = prepared(op::FusedConv, inputs, attrs, store, "cpu.direct_fused_conv");
        ASSERT_TRUE(call->kernel) << what;
        expect_close(run(*call, inputs), expected(op::FusedConv, inputs, attrs), what);
      }
    const TensorList plain{x, w};
    PackedStore store;
    const auto call = prepared(op::Conv, plain, each.attrs, store, "cpu.direct_conv");
    ASSERT_TRUE(call->kernel);
    expect_close(run(*call, plain), expected(op::Conv, plain, each.attrs), "Conv");
  }
}

TEST(DirectConv, MayOverwriteItsAddendOnlyWhereItIsReadFirst) {
  manual_seed(8);
  for (const int64_t maps : {32, 21}) {
    const TensorList inputs{randn({1, 6, 5, 8}).permute({0, 3, 1, 2}), randn({maps, 8, 1, 1}),
                            randn({maps}), randn({1, 6, 5, maps}).permute({0, 3, 1, 2})};
    PackedStore store;
    const auto call = prepared(op::FusedConv, inputs, {}, store, "cpu.direct_fused_conv");
    ASSERT_TRUE(call->kernel);
    EXPECT_EQ(call->kernel->in_place, maps == 32 ? 0b1000U : 0U);
  }
}

TEST(DirectConv, PacksConstantWeightsOnce) {
  PackedStore store;
  const TensorList inputs{randn({1, 6, 10, 10}), randn({20, 6, 3, 3})};
  prepared(op::Conv, inputs, {}, store, "cpu.direct_conv");
  const int64_t bytes = store.bytes();
  EXPECT_GE(bytes, static_cast<int64_t>(inputs[1].bytes()));
  prepared(op::Conv, {randn({2, 6, 14, 14}), inputs[1]}, {}, store, "cpu.direct_conv");
  EXPECT_EQ(store.bytes(), bytes);
}

TEST(DirectConv, RefusesWhatItDoesNotDo) {
  const auto runs = [](const Shape& x, const Shape& w, const Attrs& attrs, bool constant = true,
                       DType type = DType::f32) {
    const Tensor image = Tensor::zeros(x, type), weights = Tensor::zeros(w, type);
    const std::vector<const Tensor*> inputs{&image, &weights};
    PackedStore store;
    const auto names = accepting_kernels(
        op::Conv, inputs, attrs, 1,
        {.backend = Backend::cpu, .packed = &store, .constant = {false, constant}});
    return std::ranges::count(names, "cpu.direct_conv") == 1;
  };
  EXPECT_TRUE(runs({1, 4, 6, 6}, {4, 4, 3, 3}, {}));
  EXPECT_FALSE(runs({1, 4, 6, 6}, {4, 2, 3, 3}, {{"group", 2}}));
  EXPECT_FALSE(runs({1, 4, 6, 6, 6}, {4, 4, 3, 3, 3}, {}));
  EXPECT_FALSE(runs({1, 4, 6, 6}, {4, 4, 3, 3}, {}, false));
  EXPECT_FALSE(runs({1, 4, 6, 6}, {4, 4, 3, 3}, {}, true, DType::f16));
  EXPECT_FALSE(runs({0, 4, 6, 6}, {4, 4, 3, 3}, {}));
}

}  // namespace
}  // namespace tenon::cpu
