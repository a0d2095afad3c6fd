// Quantisation and casts on every instruction set: all granularities, lengths around the width of a
// vector, numbers at and past the bounds of the types, other orders than row-major.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "backends/cpu/testing.h"
#include "base/random.h"
#include "ops/math/catalog.h"
#include "ops/quant/catalog.h"
#include "runtime/dispatch.h"

namespace tenon {
namespace {

Tensor random(const Shape& shape, double low, double high, DType type = DType::f32) {
  Generator generator(static_cast<uint64_t>(shape.numel()));
  Tensor x = Tensor::empty(shape, DType::f32);
  for (int64_t i = 0; i < x.numel(); ++i)
    x.data<float>()[i] = static_cast<float>(low + (high - low) * generator.uniform());
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

void expect_same(const Call& call, const std::string& what) {
  EXPECT_EQ(on(Backend::cpu, call), on(Backend::reference, call)) << what;
}

Attrs made(DType type) { return {{"output_dtype", static_cast<int64_t>(type)}}; }

constexpr int64_t kLengths[] = {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 65, 200};

void check_quantize() {
  for (const DType type : {DType::u8, DType::i8, DType::u16, DType::i16}) {
    for (const int64_t n : kLengths) {
      const auto check = [&](const Shape& x, const Shape& scale, const Attrs& attrs) {
        const Tensor values = random(x, -500, 500), scales = random(scale, 0.5, 2);
        const Tensor zeros = random(scale, 0, 100, type);
        const std::string what =
            fmt::format("{} of {} by {} {}", name(type), x.str(), scale.str(), attrs.str());
        expect_same([&] { return TensorList{op::QuantizeLinear(values, scales, zeros, attrs)}; },
                    what);
        expect_same(
            [&] {
              return TensorList{op::QuantizeLinear.all(
                  {values, scales}, attrs.with({"output_dtype", static_cast<int64_t>(type)}))};
            },
            what);
      };
      check({n}, {}, {});
      check({3, n}, {3}, {{"axis", 0}});
      check({3, n}, {n}, {{"axis", -1}});
      check({2, 3, n}, {3}, {{"axis", 1}});
      check({2, 5, n}, {2, 3, n}, {{"axis", 1}, {"block_size", 2}});
      check({3, n}, {3, (n + 3) / 4}, {{"axis", 1}, {"block_size", 4}});
    }
    const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
    const Tensor extremes = Tensor::from<float>(
        {inf, -inf, nan, 3e38F, -3e38F, 0.5F, 1.5F, 2.5F, -0.5F, -1.5F, 255.5F, -128.5F}, {12});
    expect_same(
        [&] { return TensorList{op::QuantizeLinear(extremes, Tensor::scalar(1), made(type))}; },
        std::string(name(type)));
  }
}
TEST(CpuQuantize, AgreesWithTheReference) { cpu::on_every_target(check_quantize); }

void check_dequantize() {
  for (const DType type :
       {DType::u8, DType::i8, DType::u16, DType::i16, DType::i32, DType::u4, DType::i4}) {
    for (const int64_t n : kLengths) {
      const auto check = [&](const Shape& x, const Shape& scale, const Attrs& attrs) {
        const Tensor codes = random(x, -300, 300, DType::i32).to(type);
        const Tensor scales = random(scale, 0.5, 2), zeros = random(scale, 0, 7, type);
        const Call call = [&] {
          return TensorList{op::DequantizeLinear(codes, scales, zeros, attrs),
                            op::DequantizeLinear(codes, scales, attrs)};
        };
        expect_same(
            call, fmt::format("{} of {} by {} {}", name(type), x.str(), scale.str(), attrs.str()));
      };
      check({n}, {}, {});
      check({3, n}, {3}, {{"axis", 0}});
      check({3, n}, {n}, {{"axis", -1}});
      check({2, 5, n}, {2, 3, n}, {{"axis", 1}, {"block_size", 2}});
      check({3, n}, {3, (n + 3) / 4}, {{"axis", 1}, {"block_size", 4}});
    }
  }
}
TEST(CpuQuantize, DequantizesAsTheReference) { cpu::on_every_target(check_dequantize); }

void check_dynamic() {
  for (const int64_t n : kLengths)
    for (const auto& [low, high] :
         {std::pair(-3.0, 5.0), std::pair(1.0, 2.0), std::pair(-2.0, -1.0), std::pair(0.0, 0.0)}) {
      const Tensor x = random({n}, low, high);
      expect_same([&] { return op::DynamicQuantizeLinear.all({x}, {}, 3); },
                  fmt::format("{} from {} to {}", n, low, high));
    }
  // More than one block of extremes.
  const Tensor large = random({100'000}, -1, 4);
  expect_same([&] { return op::DynamicQuantizeLinear.all({large}, {}, 3); }, "large");
}
TEST(CpuQuantize, FindsTheRange) { cpu::on_every_target(check_dynamic); }

void check_casts() {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  for (const DType type : {DType::u8, DType::i8, DType::u16, DType::i16, DType::i32, DType::i64,
                           DType::boolean, DType::f16, DType::bf16}) {
    for (const int64_t n : kLengths) {
      const Tensor x = random({n}, -70'000, 70'000), near = random({n}, -2, 2);
      expect_same([&] { return TensorList{x.to(type), near.to(type)}; }, std::string(name(type)));
      const Tensor y = random({n}, -300, 300, DType::i32).to(type);
      expect_same([&] { return TensorList{y.to(DType::f32)}; }, std::string(name(type)));
    }
    const Tensor extremes = Tensor::from<float>(
        {inf, -inf, 3e38F, -3e38F, 2147483648.0F, 2147483520.0F, -2147483648.0F, -2147483904.0F,
         0.99F, -0.99F, 255.9F, 256, -128.9F, 65535.9F, -0.0F, 1e-40F},
        {16});
    expect_same([&] { return TensorList{extremes.to(type)}; }, std::string(name(type)));
    if (!is_float(type))
      expect_same([&] { return TensorList{Tensor::full({20}, nan).to(type)}; },
                  std::string(name(type)));
  }
}
TEST(CpuCast, AgreesWithTheReference) { cpu::on_every_target(check_casts); }

TEST(CpuQuantize, KeepsChannelsLast) {
  const BackendScope cpu(Backend::cpu);
  const Tensor x = random({2, 4, 5, 3}, -10, 10).permute({0, 3, 1, 2});
  const Tensor q = op::QuantizeLinear(x, Tensor::scalar(0.1), made(DType::i8));
  EXPECT_EQ(q.strides(), x.strides());
  const Tensor y = op::DequantizeLinear(q, Tensor::scalar(0.1));
  EXPECT_EQ(y.strides(), x.strides());
  EXPECT_EQ(x.to(DType::u8).strides(), x.strides());
  const auto a = x.to_vector<double>(), b = y.to_vector<double>();
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 0.0501);
}

}  // namespace
}  // namespace tenon
