// Winograd convolutions against plain loops in f64, on every instruction set: tiles that stand over
// the edges, channels that fill no vector, every activation, inputs in any order.
#include "backends/cpu/winograd.h"

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

struct Problem {
  WinogradShape shape;
  Tensor x, weights, bias, residual;  // images channels-last

  explicit Problem(const WinogradShape& s) : shape(s) {
    x = randn({s.batch, s.height, s.width, s.channels});
    weights = randn({s.maps, s.channels, 3, 3});
    bias = randn({s.maps});
    residual = randn({s.batch, s.out_height, s.out_width, s.maps});
  }

  // Relu(convolution + bias + residual)
  std::vector<double> expected() const {
    const WinogradShape& s = shape;
    std::vector<double> y = residual.to_vector<double>();
    const float *image = x.data<float>(), *w = weights.data<float>();
    size_t at = 0;
    for (int64_t n = 0; n < s.batch; ++n)
      for (int64_t i = 0; i < s.out_height; ++i)
        for (int64_t j = 0; j < s.out_width; ++j)
          for (int64_t m = 0; m < s.maps; ++m, ++at) {
            double sum = y[at] + static_cast<double>(bias.data<float>()[m]);
            for (int64_t k = 0; k < 9; ++k) {
              const int64_t row = i + k / 3 - s.pad_top, column = j + k % 3 - s.pad_left;
              if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
              const float* pixel = image + ((n * s.height + row) * s.width + column) * s.channels;
              for (int64_t c = 0; c < s.channels; ++c)
                sum += static_cast<double>(pixel[c]) *
                       static_cast<double>(w[(m * s.channels + c) * 9 + k]);
            }
            y[at] = std::max(sum, 0.0);
          }
    return y;
  }

  // Written over the residual if `in_place`.
  std::vector<double> run(int64_t outputs, int threads, bool in_place) const {
    const Winograd winograd(shape, outputs, threads);
    Tensor packed = Tensor::empty({winograd.packed_floats()}, DType::f32);
    winograd.pack(weights.data<float>(), packed.data<float>());
    Tensor scratch =
        Tensor::full({static_cast<int64_t>(winograd.scratch_bytes())}, 0xff, DType::u8);
    Tensor y = in_place ? residual.clone() : Tensor::full(residual.shape(), NAN, DType::f32);
    ConvFinish finish;
    finish.clamp.at_least = true;
    winograd.run({x.data<float>(), packed.data<float>(), bias.data<float>(),
                  in_place ? y.data<float>() : residual.data<float>(), y.data<float>()},
                 finish, scratch.raw());
    return y.to_vector<double>();
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

WinogradShape shape(int64_t batch, int64_t channels, int64_t maps, int64_t height, int64_t width,
                    std::array<int64_t, 4> pads) {  // top, left, bottom, right
  return {.batch = batch,
          .channels = channels,
          .maps = maps,
          .height = height,
          .width = width,
          .out_height = height + pads[0] + pads[2] - 2,
          .out_width = width + pads[1] + pads[3] - 2,
          .pad_top = pads[0],
          .pad_left = pads[1]};
}

TEST(Winograd, AgreesWithLoopsOnEveryTarget) {
  manual_seed(6);
  const WinogradShape shapes[] = {
      shape(1, 1, 2, 5, 4, {0, 0, 0, 0}),      shape(1, 16, 16, 7, 7, {1, 1, 1, 1}),
      shape(2, 20, 37, 9, 5, {1, 1, 1, 1}),    shape(1, 33, 17, 4, 4, {0, 0, 0, 0}),
      shape(3, 64, 48, 13, 15, {0, 1, 2, 0}),  shape(1, 17, 100, 1, 2, {2, 1, 3, 4}),
      shape(1, 150, 64, 28, 29, {1, 1, 1, 1}), shape(5, 7, 40, 6, 6, {1, 0, 0, 1})};
  on_every_target([&] {
    for (const WinogradShape& s : shapes) {
      SCOPED_TRACE(fmt::format("{}x{}x{}x{}", s.batch, s.channels, s.height, s.width));
      const Problem problem(s);
      const std::vector<double> want = problem.expected();
      for (const int threads : {1, 2, 7}) {
        EXPECT_LT(error(problem.run(2, threads, false), want), 1e-6) << threads;
        EXPECT_LT(error(problem.run(4, threads, true), want), 4e-6) << threads;
      }
    }
  });
}

TEST(Winograd, KeepsItsErrorBoundWithManyChannels) {
  manual_seed(7);
  const Problem problem(shape(1, 512, 32, 12, 12, {1, 1, 1, 1}));
  const std::vector<double> want = problem.expected();
  EXPECT_LT(error(problem.run(2, 1, false), want), 0x1p-19);
  EXPECT_LT(error(problem.run(4, 1, false), want), 0x1p-17);
}

TEST(Winograd, ChoosesByWorkAndMemory) {
  // Large images: 4x4. Few outputs, many channels: the weights of 2x2 are fetched sooner. Few
  // channels, a single result: transforms cost more than they save.
  EXPECT_EQ(choose_winograd(shape(1, 64, 64, 56, 56, {1, 1, 1, 1}), 1), 4);
  EXPECT_EQ(choose_winograd(shape(1, 512, 512, 7, 7, {1, 1, 1, 1}), 2), 2);
  EXPECT_EQ(choose_winograd(shape(8, 512, 512, 7, 7, {1, 1, 1, 1}), 1), 4);
  EXPECT_EQ(choose_winograd(shape(1, 3, 64, 56, 56, {1, 1, 1, 1}), 1), 0);
  EXPECT_EQ(choose_winograd(shape(1, 256, 256, 3, 3, {0, 0, 0, 0}), 1), 0);
}

// -- As a kernel ---------------------------------------------------------------------------------

struct Planned {
  PackedStore store;
  std::vector<const Tensor*> inputs;
  PrepareOptions options;

  Planned(const OpDef& op, const TensorList& given, bool constant)
      : options{.backend = Backend::cpu,
                .packed = &store,
                .constant = {false, constant, constant},
                .kernel = &op == &op::Conv ? "cpu.winograd_conv" : "cpu.winograd_fused_conv"} {
    for (const Tensor& input : given) inputs.push_back(&input);
  }
  Planned(const Planned&) = delete;
  Planned& operator=(const Planned&) = delete;
};

double kernel_error(const OpDef& op, const TensorList& inputs, const Attrs& attrs) {
  Planned plan(op, inputs, true);
  const auto call = prepare_call(op, plan.inputs, attrs, 1, plan.options);
  if (!call->kernel) return INFINITY;
  std::vector<const void*> in(op.inputs.size(), nullptr);
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].defined()) in[i] = inputs[i].raw();
  const TensorSpec& spec = call->outputs[0];
  Tensor y = Tensor::empty_strided(spec.shape, spec.strides, spec.dtype);
  Tensor scratch = Tensor::empty({static_cast<int64_t>(call->kernel->scratch_bytes)}, DType::u8);
  void* out[] = {y.raw()};
  call->kernel->run({in.data(), out, scratch.raw(), {}, nullptr});
  const BackendScope scope(Backend::expansion);
  return error(y.to_vector<double>(), op.all(inputs, attrs)[0].to_vector<double>());
}

Tensor channels_last_copy(const Tensor& x) {
  return x.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2});
}

TEST(WinogradConv, TakesImagesOfAnyOrder) {
  manual_seed(8);
  const Tensor x = randn({2, 24, 10, 11}), z = randn({2, 40, 10, 11});
  const Attrs attrs{{"pads", {1, 1, 1, 1}}};
  for (const bool x_last : {false, true})
    for (const bool z_last : {false, true}) {
      const Tensor image = x_last ? channels_last_copy(x) : x;
      const Tensor residual = z_last ? channels_last_copy(z) : z;
      const Tensor weights = randn({40, 24, 3, 3}), bias = randn({40});
      EXPECT_LT(kernel_error(op::Conv, {image, weights, bias}, attrs), 4e-6);
      EXPECT_LT(kernel_error(op::Conv, {image, weights}, {{"auto_pad", "SAME_UPPER"}}), 4e-6);
      EXPECT_LT(kernel_error(op::FusedConv, {image, weights, bias, residual}, attrs), 4e-6);
      EXPECT_LT(kernel_error(op::FusedConv, {image, weights, Tensor(), residual},
                             attrs.with({"activation", "Relu"})),
                4e-6);
    }
}

TEST(WinogradConv, AppliesActivations) {
  manual_seed(9);
  // Sums of about 1, where activations bend.
  const TensorList inputs{randn({1, 32, 12, 12}), randn({48, 32, 3, 3}) * 0.06, randn({48})};
  const auto check = [&](const char* activation, std::vector<double> parameters) {
    Attrs attrs{{"pads", {1, 1, 1, 1}}, {"activation", activation}};
    if (!parameters.empty())
      attrs = attrs.with({"activation_params", AttrValue(std::move(parameters))});
    EXPECT_LT(kernel_error(op::FusedConv, inputs, attrs), 4e-6) << attrs.str();
  };
  check("Relu", {});
  check("LeakyRelu", {});
  check("LeakyRelu", {-0.3});
  check("Clip", {0, 6});
  check("Clip", {-1});
  check("Clip", {});
  check("Sigmoid", {});
  check("Swish", {});
  check("HardSwish", {});
  check("HardSigmoid", {0.3, 0.4});
  check("Mish", {});
  check("Tanh", {});
}

TEST(WinogradConv, PacksOnceForAllSizes) {
  const TensorList small{randn({1, 32, 30, 30}), randn({32, 32, 3, 3})};
  const TensorList large{randn({1, 32, 42, 42}), small[1]};
  Planned plan(op::Conv, small, true);
  ASSERT_TRUE(prepare_call(op::Conv, plan.inputs, {}, 1, plan.options)->kernel);
  EXPECT_EQ(plan.store.bytes(), 32 * 32 * 36 * 4);
  plan.inputs[0] = &large[0];
  ASSERT_TRUE(prepare_call(op::Conv, plan.inputs, {}, 1, plan.options)->kernel);
  EXPECT_EQ(plan.store.bytes(), 32 * 32 * 36 * 4);
}

TEST(WinogradConv, LeavesTheRestToOthers) {
  const auto accepts = [](const TensorList& inputs, const Attrs& attrs, bool constant) {
    const Planned plan(op::Conv, inputs, constant);
    const auto names = accepting_kernels(op::Conv, plan.inputs, attrs, 1, plan.options);
    return std::ranges::find(names, "cpu.winograd_conv") != names.end();
  };
  const Tensor x = randn({1, 32, 20, 20}), weights = randn({32, 32, 3, 3});
  EXPECT_TRUE(accepts({x, weights}, {}, true));
  EXPECT_FALSE(accepts({x, weights}, {}, false));
  EXPECT_FALSE(accepts({x, weights}, {{"strides", {2, 2}}}, true));
  EXPECT_FALSE(accepts({x, weights}, {{"dilations", {2, 2}}}, true));
  EXPECT_FALSE(accepts({x, randn({32, 16, 3, 3})}, {{"group", 2}}, true));
  EXPECT_FALSE(accepts({x, randn({32, 32, 3, 1})}, {}, true));
  EXPECT_FALSE(accepts({x, randn({32, 32, 5, 5})}, {}, true));
  EXPECT_FALSE(accepts({randn({1, 32, 20}), randn({32, 32, 3})}, {}, true));
  EXPECT_FALSE(accepts({x.to(DType::f16), weights.to(DType::f16)}, {}, true));
}

}  // namespace

}  // namespace tenon::cpu
