// The elementwise driver on every way operands can lie: tails, misalignment, broadcasting, strides,
// 16-bit floats, large results.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/cpu/rows.h"
#include "backends/cpu/testing.h"
#include "base/random.h"
#include "base/threads.h"
#include "ops/logic/catalog.h"
#include "ops/math/catalog.h"
#include "runtime/dispatch.h"

namespace tenon {
namespace {

Tensor random(const Shape& shape, DType type, uint64_t seed) {
  Generator generator(seed);
  Tensor x = Tensor::empty(shape, DType::f32);
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = generator.uniform() * 8 - 4;
  Tensor y = Tensor::empty(shape, type);
  y.copy_from(x);
  return y;
}

std::vector<double> on(Backend backend, const OpDef& op, std::initializer_list<Tensor> inputs) {
  const BackendScope scope(backend);
  return op.all(inputs)[0].to_vector<double>();
}

// Equal up to a rounding of the result's type.
void expect_alike(const OpDef& op, std::initializer_list<Tensor> inputs, const std::string& what) {
  const std::vector<double> got = on(Backend::cpu, op, inputs);
  const std::vector<double> want = on(Backend::reference, op, inputs);
  const DType type = inputs.begin()->dtype();
  const double slack = type == DType::bf16 ? 0x1p-7 : type == DType::f16 ? 0x1p-10 : 0x1p-22;
  ASSERT_EQ(got.size(), want.size()) << what;
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], want[i], slack * std::fabs(want[i]))
        << op.name << " " << what << " at " << i;
}

constexpr DType kTypes[] = {DType::f32,  DType::f64, DType::f16,
                            DType::bf16, DType::i32, DType::i64};

void check_lengths() {
  for (const DType type : kTypes) {
    const Tensor a = random({80}, type, 1), b = random({80}, type, 2);
    for (int64_t offset = 0; offset < 4; ++offset) {
      for (int64_t n = 0; n < 68; ++n) {
        const std::string what = fmt::format("{} n={} offset={}", name(type), n, offset);
        const Tensor x = a.slice(0, offset, offset + n), y = b.slice(0, 3, 3 + n);
        expect_alike(op::Add, {x, y}, what);
        expect_alike(op::Neg, {x}, what);
        expect_alike(op::Less, {x, y}, what);
        expect_alike(op::Max, {x, b.slice(0, 0, 1)}, what);
      }
    }
  }
}
TEST(CpuElementwise, EveryLengthAndOffset) { cpu::on_every_target(check_lengths); }

void check_neighbours() {
  const BackendScope cpu(Backend::cpu);
  const Tensor x = random({80}, DType::f32, 1);
  for (int64_t n = 0; n < 68; ++n) {
    Tensor around = Tensor::full({80}, 77);
    std::vector<Tensor> out{around.slice(0, 5, 5 + n)};
    const Tensor in = x.slice(0, 1, 1 + n);
    const Tensor* inputs[] = {&in};
    apply_into(op::Exp, inputs, {}, out);
    for (int64_t i = 0; i < 80; ++i) {
      const bool outside = i < 5 || i >= 5 + n;
      ASSERT_EQ(around.data<float>()[i] == 77, outside) << "n=" << n << " at " << i;
    }
  }
}
TEST(CpuElementwise, WritesNothingBesideItsOutput) { cpu::on_every_target(check_neighbours); }

TEST(CpuElementwise, InPlace) {
  const BackendScope cpu(Backend::cpu);
  for (const int64_t n : {1, 15, 16, 33, 5000, 100'000}) {
    std::vector<Tensor> a{random({n}, DType::f32, 1)};
    const Tensor b = random({n}, DType::f32, 2);
    const std::vector<double> want = on(Backend::reference, op::Sub, {a[0].clone(), b});
    const Tensor* inputs[] = {&a[0], &b};
    apply_into(op::Sub, inputs, {}, a);
    EXPECT_EQ(a[0].to_vector<double>(), want) << n;
  }
}

void check_broadcasting() {
  struct Pair {
    Shape a, b;
  };
  const Pair pairs[] = {
      {{}, {}},
      {{5}, {}},
      {{}, {3, 4}},
      {{3, 4}, {4}},
      {{3, 1}, {1, 4}},
      {{40, 3}, {3}},
      {{3, 40}, {40}},
      {{3, 40}, {3, 1}},
      {{2, 3, 1}, {5}},
      {{2, 1, 70}, {1, 3, 1}},
      {{2, 3, 4, 5}, {3, 1, 1}},
      {{2, 3, 40}, {1}},
      {{600, 2}, {1, 2}},
      {{1, 1, 1}, {1}},
      {{0, 3}, {3}},
      {{1000, 1}, {1, 3}},
      {{7, 300}, {7, 1}},
      {{4, 1, 6, 1}, {5, 1, 7}},
  };
  for (const DType type : kTypes) {
    for (const Pair& pair : pairs) {
      const Tensor a = random(pair.a, type, 1), b = random(pair.b, type, 2);
      const std::string what = fmt::format("{} {} {}", name(type), pair.a.str(), pair.b.str());
      expect_alike(op::Mul, {a, b}, what);
      expect_alike(op::Sub, {b, a}, what);
      expect_alike(op::Equal, {a, b}, what);
      expect_alike(op::Min, {a, b, a}, what);
      const Tensor c = op::Greater(a, Tensor::scalar(0, type));
      expect_alike(op::Where, {c, a, b}, what);
      expect_alike(op::Where, {c, Tensor::scalar(1, type), b}, what);
    }
  }
}
TEST(CpuElementwise, Broadcasting) { cpu::on_every_target(check_broadcasting); }

void check_strides() {
  for (const DType type : kTypes) {
    const Tensor x = random({6, 7, 8, 9}, type, 1), y = random({6, 7, 8, 9}, type, 2);
    const auto check = [&](const Tensor& a, const Tensor& b, const char* what) {
      expect_alike(op::Add, {a, b}, what);
      expect_alike(op::Relu, {a}, what);
      expect_alike(op::Max, {a, b, a}, what);
      if (is_float(type)) expect_alike(op::Sum, {a, b, a}, what);
    };
    check(x.permute({0, 3, 1, 2}), y.permute({0, 3, 1, 2}), "both channels-last");
    check(x.permute({0, 3, 1, 2}), y.reshape({6, 9, 7, 8}), "one channels-last");
    check(x.permute({3, 2, 1, 0}), y.permute({3, 2, 1, 0}), "both reversed");
    check(x.transpose(2, 3), random({8}, type, 3), "transposed and broadcast");
    check(x.slice(3, 1, 9, 2), y.slice(3, 0, 8, 2), "every second");
    check(x.slice(2, 7, 0, -1), y.slice(2, 0, 7), "backwards");
    check(x.slice(1, 0, 1).expand({6, 7, 8, 9}), y, "expanded");
    check(x.slice(3, 0, 1).expand({6, 7, 8, 9}), y.slice(3, 1, 2).expand({6, 7, 8, 9}),
          "expanded along the last");
    check(x.permute({0, 3, 1, 2}), random({9, 1, 1}, type, 3), "channels-last and one a channel");
  }
}
TEST(CpuElementwise, Strides) { cpu::on_every_target(check_strides); }

TEST(CpuElementwise, KeepsChannelsLast) {
  const BackendScope cpu(Backend::cpu);
  const Tensor x = random({2, 4, 5, 3}, DType::f32, 1).permute({0, 3, 1, 2});
  EXPECT_EQ(op::Relu(x).strides(), x.strides());
  EXPECT_EQ(op::Add(x, random({3, 1, 1}, DType::f32, 2)).strides(), x.strides());
  EXPECT_TRUE(op::Add(x, random({2, 3, 4, 5}, DType::f32, 2)).is_contiguous());
}

TEST(CpuElementwise, LargeResultsAndAnyThreadCount) {
  // Enough to be streamed past the caches.
  const auto n =
      static_cast<int64_t>(std::min(cpu::stream_threshold() / sizeof(float), size_t{64} << 20)) + 5;
  const BackendScope cpu(Backend::cpu);
  Tensor x = Tensor::empty({n});
  for (int64_t i = 0; i < n; ++i) x.data<float>()[i] = static_cast<float>(i % 1021) - 500;
  const int before = thread_count();
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    const Tensor y = op::Add(x, Tensor::scalar(1)), z = op::Relu(x.slice(0, 1, n));
    for (int64_t i = 0; i < n; ++i)
      ASSERT_EQ(y.data<float>()[i], x.data<float>()[i] + 1) << i << " with " << threads;
    for (int64_t i = 1; i < n; ++i)
      ASSERT_EQ(z.data<float>()[i - 1], std::max(x.data<float>()[i], 0.0F))
          << i << " with " << threads;
  }
  set_thread_count(before);
}

TEST(CpuElementwise, NanWinsMinAndMax) {
  const BackendScope cpu(Backend::cpu);
  const Tensor a = Tensor::from<float>({NAN, 1, 2}, {3}), b = Tensor::from<float>({0, NAN, 3}, {3});
  for (const OpDef* op : {&op::Min, &op::Max}) {
    const std::vector<float> y = (*op)(a, b).to_vector<float>();
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1])) << op->name;
  }
}

}  // namespace
}  // namespace tenon
