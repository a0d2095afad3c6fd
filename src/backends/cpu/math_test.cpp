// The error bounds that math_inl.h and the kernels state, measured against double over many floats
// of each range.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "backends/cpu/testing.h"
#include "ops/math/catalog.h"
#include "runtime/dispatch.h"

namespace tenon {
namespace {

struct Bound {
  const OpDef* op;
  Attrs attrs;
  float low, high;
  double ulps;      // of the exact result
  double absolute;  // or this far from it
  double (*exact)(double x);
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }
double gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }
double gelu_tanh(double x) {
  return x * sigmoid(2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
}

const float kMost = std::numeric_limits<float>::max();

std::vector<Bound> bounds() {
  return {
      {&op::Exp, {}, -200, 200, 1, 0, [](double x) { return std::exp(x); }},
      {&op::Log, {}, 0, kMost, 1, 0, [](double x) { return std::log(x); }},
      {&op::Log, {}, 0.5, 2, 1, 0, [](double x) { return std::log(x); }},
      {&op::Tanh, {}, -20, 20, 2, 0, [](double x) { return std::tanh(x); }},
      {&op::Tanh, {}, -kMost, kMost, 2, 0, [](double x) { return std::tanh(x); }},
      {&op::Sigmoid, {}, -87, 100, 3, 0, sigmoid},
      {&op::Sigmoid, {}, -kMost, -87, 0, 1.7e-38, sigmoid},
      {&op::Erf, {}, -6, 6, 2, 0, [](double x) { return std::erf(x); }},
      {&op::Erf, {}, -kMost, kMost, 2, 0, [](double x) { return std::erf(x); }},
      {&op::Sin, {}, -10, 10, 3, 0x1p-24, [](double x) { return std::sin(x); }},
      {&op::Cos, {}, -10, 10, 3, 0x1p-24, [](double x) { return std::cos(x); }},
      {&op::Sin, {}, -1e30F, 1e30F, 3, 0x1p-24, [](double x) { return std::sin(x); }},
      {&op::Cos, {}, -1e30F, 1e30F, 3, 0x1p-24, [](double x) { return std::cos(x); }},
      {&op::Elu, {}, -100, 10, 3, 0, [](double x) { return x < 0 ? std::expm1(x) : x; }},
      {&op::Softplus, {}, -87, 100, 3, 0, softplus},
      {&op::Mish, {}, -87, 100, 4, 0, [](double x) { return x * std::tanh(softplus(x)); }},
      {&op::Gelu, {}, -1, 1, 4, 0x1p-24, gelu},
      {&op::Gelu, {}, -14, 14, 4, 0x1p-22, gelu},
      {&op::Gelu, {{"approximate", "tanh"}}, -12, 12, 8, 0x1p-20, gelu_tanh},
      {&op::Sqrt, {}, 0, kMost, 0.5, 0, [](double x) { return std::sqrt(x); }},
      {&op::Reciprocal, {}, -1e30F, 1e30F, 0.5, 0, [](double x) { return 1 / x; }},
  };
}

// Distance in units of the last place that a float of the exact value's size has.
double ulps_between(double exact, float got) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : HUGE_VAL;
  const auto nearest = static_cast<float>(exact);
  if (nearest == got || (std::isinf(nearest) && std::isinf(got) && (nearest > 0) == (got > 0)))
    return 0;
  const float size = std::min(std::fabs(nearest), kMost);
  const double ulp =
      static_cast<double>(std::nextafter(size, HUGE_VALF)) - static_cast<double>(size);
  return std::fabs(exact - static_cast<double>(got)) / (std::isinf(ulp) ? 0x1p104 : ulp);
}

// Floats as ordered integers, so that steps visit all exponents.
int64_t ordinal(float x) {
  const auto bits = std::bit_cast<int32_t>(x);
  return bits < 0 ? int64_t{INT32_MIN} - bits : bits;
}
float from_ordinal(int64_t at) {
  return std::bit_cast<float>(static_cast<int32_t>(at < 0 ? INT32_MIN - at : at));
}

std::vector<float> floats_between(float low, float high, int64_t count) {
  std::vector<float> result;
  const int64_t first = ordinal(low), last = ordinal(high);
  const int64_t step = std::max<int64_t>(1, (last - first) / count);
  for (int64_t at = first; at <= last; at += step) result.push_back(from_ordinal(at));
  // And as many spread evenly, where most of the curve is.
  if (std::isfinite(high - low))
    for (int64_t i = 0; i < count; ++i)
      result.push_back(low + (high - low) * static_cast<float>(i) / static_cast<float>(count));
  return result;
}

void check_bounds() {
  const BackendScope cpu(Backend::cpu);
  for (const Bound& bound : bounds()) {
    const std::vector<float> x = floats_between(bound.low, bound.high, 100'000);
    const Tensor y = (*bound.op)(
        Tensor::from<float>(std::span<const float>(x), {static_cast<int64_t>(x.size())}),
        bound.attrs);
    const float* got = y.data<float>();
    double worst = 0;
    float worst_x = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double exact = bound.exact(static_cast<double>(x[i]));
      if (std::fabs(exact - static_cast<double>(got[i])) <= bound.absolute) continue;
      const double ulps = ulps_between(exact, got[i]);
      if (ulps > worst) {
        worst = ulps;
        worst_x = x[i];
      }
    }
    testing::Test::RecordProperty(std::string(bound.op->name), std::to_string(worst));
    EXPECT_LE(worst, bound.ulps) << bound.op->name << " from " << bound.low << " to " << bound.high
                                 << ", worst at " << worst_x;
  }
}
TEST(CpuMath, KeepsItsErrorBounds) { cpu::on_every_target(check_bounds); }

void check_pow() {
  const BackendScope cpu(Backend::cpu);
  for (const float exponent :
       {0.0F, 0.5F, -0.5F, 1.0F, -1.0F, 2.0F, 3.0F, 2.2F, -7.0F, 11.0F, 0.001F}) {
    const std::vector<float> x = floats_between(-100, 1e30F, 50'000);
    const Tensor y =
        op::Pow(Tensor::from<float>(std::span<const float>(x), {static_cast<int64_t>(x.size())}),
                Tensor::scalar(exponent));
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_LE(ulps_between(std::pow(static_cast<double>(x[i]), static_cast<double>(exponent)),
                             y.data<float>()[i]),
                exponent == 3.0F ? 1.5 : 1.0)
          << x[i] << "^" << exponent << " gave " << y.data<float>()[i];
  }
}
TEST(CpuMath, PowIsWithinOneUlp) { cpu::on_every_target(check_pow); }

void check_special_pow() {
  const BackendScope cpu(Backend::cpu);
  const float inf = HUGE_VALF, nan = NAN;
  const std::vector<float> values{0.0F,  -0.0F,  1.0F, -1.0F, 0.5F, -0.5F, 2.0F,   -2.0F, 3.0F,
                                  -3.0F, 1e-40F, inf,  -inf,  nan,  1e30F, -1e30F, 2.5F,  -2.5F};
  const auto n = static_cast<int64_t>(values.size());
  const Tensor x = Tensor::from<float>(std::span<const float>(values), {n, 1});
  const Tensor y = Tensor::from<float>(std::span<const float>(values), {1, n});
  const std::vector<float> got = op::Pow(x, y).to_vector<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    for (size_t k = 0; k < values.size(); ++k) {
      const float want = std::pow(values[i], values[k]), have = got[i * values.size() + k];
      if (std::isnan(want))
        EXPECT_TRUE(std::isnan(have)) << values[i] << "^" << values[k] << " gave " << have;
      else
        EXPECT_LE(ulps_between(static_cast<double>(want), have), 1.0)
            << values[i] << "^" << values[k] << " gave " << have << ", not " << want;
      EXPECT_TRUE(std::isnan(want) || std::signbit(want) == std::signbit(have))
          << values[i] << "^" << values[k] << " gave " << have << ", not " << want;
    }
  }
}
TEST(CpuMath, PowHasTheSpecialCasesOfC) { cpu::on_every_target(check_special_pow); }

void check_nan() {
  const BackendScope cpu(Backend::cpu);
  const float inf = HUGE_VALF;
  const Tensor x = Tensor::from<float>({NAN, inf, -inf, 0.0F}, {4});
  const auto check = [&](const OpDef& op, std::vector<float> want) {
    const std::vector<float> got = op(x).to_vector<float>();
    for (size_t i = 0; i < want.size(); ++i)
      EXPECT_TRUE(std::isnan(want[i]) ? std::isnan(got[i]) : got[i] == want[i])
          << op.name << " of " << x.to_vector<float>()[i] << " gave " << got[i];
  };
  check(op::Exp, {NAN, inf, 0, 1});
  check(op::Log, {NAN, inf, NAN, -inf});
  check(op::Tanh, {NAN, 1, -1, 0});
  check(op::Erf, {NAN, 1, -1, 0});
  check(op::Sin, {NAN, NAN, NAN, 0});
  check(op::Cos, {NAN, NAN, NAN, 1});
  check(op::Relu, {NAN, inf, 0, 0});
  check(op::Softplus, {NAN, inf, 0, std::log(2.0F)});
  check(op::Elu, {NAN, inf, -1, 0});
  check(op::Sign, {NAN, 1, -1, 0});
}
TEST(CpuMath, NanAndInfinityGoTheirWay) { cpu::on_every_target(check_nan); }

}  // namespace
}  // namespace tenon
