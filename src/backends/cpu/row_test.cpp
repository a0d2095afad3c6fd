// Kernels that work along axes: every pattern of reduced axes, sums that lose nothing, the same
// bits for any number of threads, and lengths around the width of a vector.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "backends/cpu/testing.h"
#include "base/random.h"
#include "base/threads.h"
#include "ops/math/catalog.h"
#include "ops/nn/catalog.h"
#include "ops/reduce/catalog.h"
#include "ops/shape/catalog.h"
#include "ops/training/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"

namespace tenon {
namespace {

Tensor random(const Shape& shape, DType type = DType::f32, uint64_t seed = 1) {
  Generator generator(seed);
  Tensor x = Tensor::empty(shape, DType::f32);
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = generator.uniform() * 4 - 2;
  Tensor y = Tensor::empty(shape, type);
  y.copy_from(x);
  return y;
}

using Call = std::function<TensorList()>;

std::vector<std::vector<double>> on(Backend backend, const Call& call) {
  const BackendScope scope(backend);
  std::vector<std::vector<double>> result;
  for (const Tensor& y : call()) result.push_back(y.to_vector<double>());
  return result;
}

void expect_close(const Call& call, double slack, const std::string& what) {
  const auto got = on(Backend::cpu, call), want = on(Backend::reference, call);
  for (size_t o = 0; o < want.size(); ++o) {
    ASSERT_EQ(got[o].size(), want[o].size()) << what;
    for (size_t i = 0; i < want[o].size(); ++i)
      ASSERT_NEAR(got[o][i], want[o][i], slack * (1 + std::fabs(want[o][i])))
          << what << ", output " << o << " at " << i;
  }
}

void check_patterns() {
  struct Case {
    Shape shape;
    std::vector<int64_t> axes;
  };
  const Case cases[] = {
      {{}, {}},
      {{7}, {0}},
      {{70}, {0}},
      {{5, 6}, {0}},
      {{5, 6}, {1}},
      {{5, 70}, {0}},
      {{70, 5}, {0}},
      {{5, 6}, {0, 1}},
      {{3, 4, 5}, {1}},
      {{3, 4, 5}, {0, 2}},
      {{3, 1, 5}, {1}},
      {{2, 3, 4, 5}, {0, 2}},
      {{2, 3, 4, 5}, {1, 3}},
      {{2, 3, 4, 33}, {0, 2}},
      {{200, 37}, {0}},
      {{1, 1}, {0}},
      {{3, 1500}, {0}},
      {{300, 1100}, {0}},
      {{9, 5000}, {1}},
      {{2, 90'000}, {1}},
      {{90'000, 3}, {0}},
      {{2, 40'000, 2}, {1}},
  };
  const OpDef* ops[] = {&op::ReduceSum,       &op::ReduceMean,     &op::ReduceMax,
                        &op::ReduceMin,       &op::ReduceL1,       &op::ReduceL2,
                        &op::ReduceSumSquare, &op::ReduceLogSumExp};
  for (const Case& each : cases) {
    const Tensor x = random(each.shape), axes = Tensor::ints(each.axes);
    // Terms of both signs: the error is one of their number, not of their sum.
    const double terms = 1e-6 * std::sqrt(static_cast<double>(x.numel()));
    for (const OpDef* op : ops) {
      expect_close([&] { return TensorList{(*op)(x, axes)}; }, 1e-6 + 0.1 * terms,
                   fmt::format("{} of {} over {}", op->name, each.shape.str(), axes.str()));
    }
    for (const DType type : {DType::f64, DType::f16, DType::bf16, DType::i32, DType::i64}) {
      const Tensor y = random(each.shape, type);
      const double slack = type == DType::bf16 ? 0x1p-7 : type == DType::f16 ? 0x1p-10 : 1e-12;
      for (const OpDef* op : {&op::ReduceSum, &op::ReduceMax})
        expect_close(
            [&] { return TensorList{(*op)(y, axes)}; }, slack,
            fmt::format("{} of {}{} over {}", op->name, name(type), each.shape.str(), axes.str()));
    }
  }
}
TEST(CpuReduce, EveryPatternOfAxes) { cpu::on_every_target(check_patterns); }

TEST(CpuReduce, SixteenMillionOnesAddUpExactly) {
  const BackendScope cpu(Backend::cpu);
  const int64_t n = int64_t{1} << 24;
  const Tensor ones = Tensor::ones({n});
  EXPECT_EQ(op::ReduceSum(ones).item<double>(), static_cast<double>(n));
  EXPECT_EQ(op::ReduceSum(ones.view({n / 4, 4}), Tensor::ints({0})).to_vector<double>(),
            std::vector<double>(4, static_cast<double>(n / 4)));
  // A tenth is not a binary fraction; what f32 adds up one by one is off by 6 percent.
  EXPECT_NEAR(op::ReduceMean(Tensor::full({n}, 0.1)).item<double>(), 0.1, 5e-8);
}

void check_nan() {
  const BackendScope cpu(Backend::cpu);
  const float inf = HUGE_VALF;
  for (const int64_t n : {3, 40}) {
    Tensor x = random({n});
    x.data<float>()[n - 1] = NAN;
    EXPECT_TRUE(std::isnan(op::ReduceMax(x).item<float>())) << n;
    EXPECT_TRUE(std::isnan(op::ReduceMin(x).item<float>())) << n;
    EXPECT_TRUE(std::isnan(op::Softmax(x).to_vector<float>()[0])) << n;
    EXPECT_EQ(op::ArgMax(x).item<int64_t>(), n - 1);
    x.data<float>()[n - 1] = inf;
    EXPECT_EQ(op::ReduceLogSumExp(x).item<float>(), inf) << n;
    EXPECT_EQ(op::ReduceLogSumExp(Tensor::full({n}, -HUGE_VAL)).item<float>(), -inf) << n;
    x.data<float>()[n - 1] = -inf;
    EXPECT_EQ(op::Softmax(x).to_vector<float>()[static_cast<size_t>(n - 1)], 0) << n;
  }
}
TEST(CpuReduce, NanAndInfinity) { cpu::on_every_target(check_nan); }

void check_lengths() {
  for (int64_t n = 1; n < 68; ++n) {
    const Tensor x = random({5, n}), dy = random({5, n}, DType::f32, 2);
    const Tensor scale = random({n}, DType::f32, 3), bias = random({n}, DType::f32, 4);
    const Tensor labels = Tensor::from<int64_t>({0, n - 1, n / 2, 0, n / 3}, {5});
    const std::string what = fmt::format("length {}", n);
    expect_close([&] { return TensorList{op::Softmax(x)}; }, 1e-6, what);
    expect_close([&] { return TensorList{op::LogSoftmax(x)}; }, 1e-6, what);
    expect_close([&] { return TensorList{op::Softmax(x.t(), {{"axis", 0}})}; }, 1e-6, what);
    expect_close([&] { return TensorList{op::LogSoftmax(x.t(), {{"axis", 0}})}; }, 1e-6, what);
    expect_close([&] { return TensorList{op::SoftmaxGrad(dy, x)}; }, 4e-6, what);
    expect_close([&] { return TensorList{op::LogSoftmaxGrad(dy, x)}; }, 4e-6, what);
    expect_close([&] { return TensorList{op::LogSoftmaxGrad(dy, x, {{"axis", 0}})}; }, 4e-6, what);
    expect_close([&] { return op::LayerNormalization.all({x, scale, bias}, {}, 3); }, 2e-6, what);
    expect_close(
        [&] {
          return op::LayerNormalizationGrad.all({dy, x, scale}, {}, 3);
        },
        n == 1 ? 1e-2 : 1e-4, what);
    expect_close([&] { return op::SoftmaxCrossEntropyLoss.all({x, labels}, {}, 2); }, 1e-6, what);
    expect_close(
        [&] {
          return op::SoftmaxCrossEntropyLossGrad.all({Tensor::scalar(2), x, labels, scale},
                                                     {{"reduction", "sum"}});
        },
        2e-6, what);
    expect_close(
        [&] {
          return TensorList{op::ArgMax(x, {{"axis", 1}}), op::ArgMin(x, {{"axis", 1}})};
        },
        0, what);
  }
}
TEST(CpuRows, LengthsAroundAVector) { cpu::on_every_target(check_lengths); }

// f16 and bf16 rows are widened and narrowed.
void check_16_bits() {
  for (const DType type : {DType::f16, DType::bf16}) {
    const Tensor x = random({3, 50}, type), scale = random({50}, type, 2);
    const double slack = type == DType::bf16 ? 0x1p-7 : 0x1p-10;
    expect_close([&] { return TensorList{op::Softmax(x), op::LogSoftmax(x)}; }, slack, "softmax");
    expect_close(
        [&] {
          return op::LayerNormalization.all({x, scale, scale}, {}, 3);
        },
        slack, "normalised");
  }
}
TEST(CpuRows, SixteenBitFloats) { cpu::on_every_target(check_16_bits); }

TEST(CpuRows, TheSameBitsForAnyNumberOfThreads) {
  const BackendScope cpu(Backend::cpu);
  const Tensor x = random({300, 700}), scale = random({700}),
               labels = Tensor::zeros({300}, DType::i64);
  const Tensor indices = Tensor::arange(2000).to(DType::i64);
  const auto all = [&] {
    manual_seed(7);
    TensorList list{op::ReduceSum(x),
                    op::ReduceSum(x, Tensor::ints({0})),
                    op::ReduceLogSumExp(x, Tensor::ints({1})),
                    op::Softmax(x),
                    op::SoftmaxCrossEntropyLoss(x, labels),
                    op::Dropout(x, Tensor::scalar(0.3), Tensor::full({}, 1, DType::boolean))};
    for (Tensor& y : op::LayerNormalizationGrad.all({x, x, scale}, {}, 3)) list.push_back(y);
    return list;
  };
  const int before = thread_count();
  set_thread_count(1);
  const TensorList one = all();
  for (const int threads : {2, 3, 7}) {
    set_thread_count(threads);
    const TensorList many = all();
    for (size_t i = 0; i < one.size(); ++i)
      EXPECT_EQ(one[i].to_vector<double>(), many[i].to_vector<double>())
          << threads << " threads, result " << i;
  }
  set_thread_count(before);
}

void check_mask() {
  for (const int64_t n : {1, 3, 31, 64, 1023, 1025, 20'001}) {
    const Tensor x = Tensor::ones({n}), on_switch = Tensor::full({}, 1, DType::boolean);
    const Call call = [&] {
      manual_seed(0x123456789abcdef);
      // A counter that carries into its high half.
      set_random_state({.seed = 0x123456789abcdef, .offset = 0xfffffff0});
      return op::Dropout.all({x, Tensor::scalar(0.37), on_switch}, {}, 2);
    };
    expect_close(call, 1e-6, fmt::format("{} elements", n));
  }
}
TEST(CpuDropout, HasTheBitsOfTheReference) { cpu::on_every_target(check_mask); }

void check_steps() {
  const Tensor lr = Tensor::scalar(0.01), step = Tensor::full({}, 4, DType::i64);
  for (const int64_t n : {1, 17, 50'003}) {
    const Tensor p = random({n}), g = random({n}, DType::f32, 2), m = random({n}, DType::f32, 3);
    const Tensor v = op::Mul(m, m);
    const Attrs attrs{{"weight_decay", 0.1}, {"decoupled", 1}};
    expect_close([&] { return op::AdamStep.all({lr, step, p, g, m, v}, attrs, 3); }, 1e-6, "adam");
    const Attrs sgd{{"momentum", 0.9}, {"nesterov", 1}, {"weight_decay", 0.1}};
    expect_close([&] { return op::SgdStep.all({lr, step, p, g, m}, sgd, 2); }, 1e-6, "sgd");
    const BackendScope cpu(Backend::cpu);
    const TensorList want = op::AdamStep.all({lr, step, p, g, m, v}, attrs, 3);
    std::vector<Tensor> out{p.clone(), m.clone(), v.clone()};
    const Tensor* inputs[] = {&lr, &step, &out[0], &g, &out[1], &out[2]};
    apply_into(op::AdamStep, inputs, attrs, out);
    for (size_t i = 0; i < 3; ++i)
      EXPECT_EQ(out[i].to_vector<float>(), want[i].to_vector<float>()) << n;
  }
}
TEST(CpuSteps, InPlaceAndLong) { cpu::on_every_target(check_steps); }

}  // namespace
}  // namespace tenon
