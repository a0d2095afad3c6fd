// Every code of every storage type against its definition, and rounding to codes against a search
// of the nearest number.
#include "tensor/narrow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "tensor/tensor.h"

namespace tenon {
namespace {

using Round = NarrowRule::Round;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The documents' tables: bits of exponent and mantissa, bias, largest number, smallest one above 0.
struct Documented {
  DType type;
  int exponent, mantissa, bias;
  float largest, smallest;
};
constexpr Documented kFormats[] = {
    {DType::f8e4m3fn, 4, 3, 7, 448, 0x1p-9F},   {DType::f8e4m3fnuz, 4, 3, 8, 240, 0x1p-10F},
    {DType::f8e5m2, 5, 2, 15, 57344, 0x1p-16F}, {DType::f8e5m2fnuz, 5, 2, 16, 57344, 0x1p-17F},
    {DType::f4e2m1, 2, 1, 1, 6, 0.5F},
};

bool is_nan_code(DType type, unsigned code) {
  switch (type) {
    case DType::f8e4m3fn: return (code & 0x7fU) == 0x7fU;
    case DType::f8e5m2: return (code & 0x7fU) > 0x7cU;
    case DType::f8e4m3fnuz:
    case DType::f8e5m2fnuz: return code == 0x80U;
    case DType::f8e8m0: return code == 0xffU;
    default: return false;
  }
}

unsigned code_count(DType type) { return 1U << bits_of(type); }

uint8_t code(DType type, float value, bool saturate = true) {
  return code_of(type, value, {.saturate = saturate});
}

TEST(Narrow, EveryCodeIsItsNumber) {
  for (const Documented& f : kFormats) {
    float largest = 0, smallest = kInfinity;
    for (unsigned code = 0; code < code_count(f.type); ++code) {
      const float got = value_of_code(f.type, static_cast<uint8_t>(code));
      if (is_nan_code(f.type, code)) {
        EXPECT_TRUE(std::isnan(got)) << name(f.type) << " " << code;
        continue;
      }
      const int sign_at = f.exponent + f.mantissa;
      const unsigned exponent = code >> f.mantissa & ((1U << f.exponent) - 1);
      const double fraction = std::ldexp(code & ((1U << f.mantissa) - 1), -f.mantissa);
      double want = exponent ? std::ldexp(1 + fraction, static_cast<int>(exponent) - f.bias)
                             : std::ldexp(fraction, 1 - f.bias);
      if (f.type == DType::f8e5m2 && (code & 0x7fU) == 0x7cU) want = HUGE_VAL;
      if (code >> sign_at & 1U) want = -want;
      EXPECT_EQ(got, want) << name(f.type) << " " << code;
      EXPECT_EQ(std::signbit(got), std::signbit(want)) << name(f.type) << " " << code;
      if (std::isfinite(got)) largest = std::max(largest, got);
      if (got > 0) smallest = std::min(smallest, got);
    }
    EXPECT_EQ(largest, f.largest) << name(f.type);
    EXPECT_EQ(smallest, f.smallest) << name(f.type);
  }
  for (unsigned code = 0; code < 255; ++code)
    EXPECT_EQ(value_of_code(DType::f8e8m0, static_cast<uint8_t>(code)),
              std::ldexp(1.0, static_cast<int>(code) - 127));
  EXPECT_TRUE(std::isnan(value_of_code(DType::f8e8m0, 255)));
  for (int code = 0; code < 16; ++code) {
    EXPECT_EQ(value_of_code(DType::u4, static_cast<uint8_t>(code)), code);
    EXPECT_EQ(value_of_code(DType::i4, static_cast<uint8_t>(code)), code < 8 ? code : code - 16);
  }
  for (int code = 0; code < 4; ++code) {
    EXPECT_EQ(value_of_code(DType::u2, static_cast<uint8_t>(code)), code);
    EXPECT_EQ(value_of_code(DType::i2, static_cast<uint8_t>(code)), code < 2 ? code : code - 4);
  }
}

TEST(Narrow, BitsAboveTheCodeDoNotMatter) {
  for (const DType type : {DType::u4, DType::i4, DType::f4e2m1, DType::u2, DType::i2})
    for (unsigned byte = 0; byte < 256; ++byte)
      EXPECT_EQ(value_of_code(type, static_cast<uint8_t>(byte)),
                value_of_code(type, static_cast<uint8_t>(byte & (code_count(type) - 1))));
}

TEST(Narrow, EveryNumberHasItsCodeBack) {
  for (const DType type : {DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz,
                           DType::f4e2m1, DType::f8e8m0})
    for (unsigned c = 0; c < code_count(type); ++c) {
      const float value = value_of_code(type, static_cast<uint8_t>(c));
      if (std::isnan(value))
        EXPECT_TRUE(std::isnan(value_of_code(type, code(type, value)))) << name(type) << " " << c;
      else
        EXPECT_EQ(code(type, value, false), c) << name(type);
    }
}

// Between each two neighbours: what is nearer, and halfway the even code.
TEST(Narrow, RoundsToNearestEven) {
  for (const Documented& f : kFormats) {
    std::map<float, unsigned> codes;  // of the numbers that are not negative
    for (unsigned c = 0; c < code_count(f.type) / 2; ++c) {
      const float value = value_of_code(f.type, static_cast<uint8_t>(c));
      if (std::isfinite(value)) codes[value] = c;
    }
    for (auto low = codes.begin(), high = std::next(low); high != codes.end(); ++low, ++high) {
      const float half = low->first + (high->first - low->first) / 2;  // exact
      const unsigned even = low->second % 2 == 0 ? low->second : high->second;
      const struct {
        float value;
        unsigned code;
      } cases[] = {
          {half, even},
          {std::nextafter(half, 0.0F), low->second},
          {std::nextafter(half, kInfinity), high->second},
          {std::nextafter(high->first, 0.0F), high->second},
          {std::nextafter(low->first, kInfinity), low->second},
      };
      for (const auto& each : cases) {
        EXPECT_EQ(code(f.type, each.value), each.code) << name(f.type) << " of " << each.value;
        const float back = value_of_code(f.type, code(f.type, -each.value));
        EXPECT_EQ(back, -value_of_code(f.type, static_cast<uint8_t>(each.code)));
      }
    }
  }
}

TEST(Narrow, BeyondTheLargest) {
  const struct {
    DType type;
    float past;  // the first that does not round down to the largest number
    uint8_t largest, beyond, minus_beyond, nan;
  } cases[] = {
      {DType::f8e4m3fn, std::nextafter(464.0F, kInfinity), 0x7e, 0x7f, 0xff, 0x7f},
      {DType::f8e4m3fnuz, 248, 0x7f, 0x80, 0x80, 0x80},
      {DType::f8e5m2, 61440, 0x7b, 0x7c, 0xfc, 0x7e},
      {DType::f8e5m2fnuz, 61440, 0x7f, 0x80, 0x80, 0x80},
  };
  for (const auto& c : cases) {
    const float last = std::nextafter(c.past, 0.0F);
    for (const bool saturate : {true, false}) {
      EXPECT_EQ(code(c.type, last, saturate), c.largest) << name(c.type);
      EXPECT_EQ(code(c.type, kNan, saturate), c.nan) << name(c.type);
      EXPECT_EQ(code(c.type, 1e-30F, saturate), 0) << name(c.type);
      EXPECT_EQ(value_of_code(c.type, code(c.type, -0.0F, saturate)), 0) << name(c.type);
    }
    for (const float more : {c.past, 1e6F, 3e38F, kInfinity}) {
      EXPECT_EQ(code(c.type, more), c.largest) << name(c.type) << " of " << more;
      EXPECT_EQ(code(c.type, -more), c.largest | 0x80U) << name(c.type) << " of " << -more;
      EXPECT_EQ(code(c.type, more, false), c.beyond) << name(c.type) << " of " << more;
      EXPECT_EQ(code(c.type, -more, false), c.minus_beyond) << name(c.type) << " of " << -more;
    }
  }
  // The two with a negative zero keep it; f4e2m1 has no NaN.
  EXPECT_EQ(code(DType::f8e4m3fn, -0.0F), 0x80);
  EXPECT_EQ(code(DType::f8e5m2, -1e-30F), 0x80);
  EXPECT_EQ(code(DType::f4e2m1, kNan), 0x08);
  EXPECT_EQ(code(DType::f4e2m1, -kInfinity, false), 0x0f);
  EXPECT_EQ(code(DType::f4e2m1, 1e6F, false), 0x07);
}

TEST(Narrow, PowersOfTwoRoundAsAsked) {
  const auto exponent = [](float value, Round round, bool saturate = true) {
    return code_of(DType::f8e8m0, value, {saturate, round}) - 127;
  };
  for (const int e : {-127, -126, -3, 0, 5, 126}) {
    const float two = std::ldexp(1.0F, e);
    for (const Round round : {Round::up, Round::down, Round::nearest})
      EXPECT_EQ(exponent(two, round), e);
    EXPECT_EQ(exponent(two * 1.25F, Round::up), e + 1);
    EXPECT_EQ(exponent(two * 1.25F, Round::down), e);
    EXPECT_EQ(exponent(two * 1.25F, Round::nearest), e);
    EXPECT_EQ(exponent(two * 1.5F, Round::nearest), e + 1);
    EXPECT_EQ(exponent(two * 1.75F, Round::down), e);
  }
  const float last = 0x1p127F;
  for (const Round round : {Round::up, Round::down, Round::nearest}) {
    EXPECT_EQ(exponent(last * 1.75F, round), 127);
    EXPECT_EQ(exponent(kInfinity, round), 127);
    EXPECT_EQ(exponent(0, round), -127);
    EXPECT_EQ(exponent(0x1p-128F, round), -127);
    EXPECT_EQ(exponent(kInfinity, round, false), 128);
    EXPECT_EQ(exponent(0, round, false), 128);
    EXPECT_EQ(exponent(0x1p-128F, round, false), 128);
    EXPECT_EQ(exponent(kNan, round), 128);
    EXPECT_EQ(exponent(-1, round), 128);
  }
  EXPECT_EQ(exponent(last * 1.75F, Round::up, false), 128);
  EXPECT_EQ(exponent(last * 1.75F, Round::down, false), 127);
}

constexpr DType kReal[] = {DType::f32, DType::u8,  DType::i8,  DType::u16, DType::i16, DType::i32,
                           DType::i64, DType::f16, DType::f64, DType::u32, DType::u64, DType::bf16};

Tensor all_codes(DType type) {
  Tensor codes = Tensor::empty({static_cast<int64_t>(code_count(type))}, type);
  for (int64_t i = 0; i < codes.numel(); ++i)
    static_cast<uint8_t*>(codes.raw())[i] = static_cast<uint8_t>(i);
  return codes;
}

Tensor converted(const Tensor& x, DType type) {
  Tensor y = Tensor::empty(x.shape(), type);
  y.copy_from(x);
  return y;
}

bool same_number(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// From each type to each real one as from one that holds all its numbers; bool is "not 0".
TEST(Narrow, ConvertsToEveryRealType) {
  for (int t = static_cast<int>(DType::f8e4m3fn); t < kTensorTypeCount; ++t) {
    const auto from = static_cast<DType>(t);
    const Tensor codes = all_codes(from);
    const Tensor numbers = converted(codes, kNarrowInts.has(from) ? DType::i8 : DType::f32);
    for (const DType to : kReal) {
      const auto got = converted(codes, to).to_vector<double>();
      const auto want = converted(numbers, to).to_vector<double>();
      for (size_t i = 0; i < got.size(); ++i)
        EXPECT_TRUE(same_number(got[i], want[i]))
            << name(from) << " " << i << " to " << name(to) << ": " << got[i] << ", " << want[i];
    }
    const auto flags = converted(codes, DType::boolean).to_vector<bool>();
    for (size_t i = 0; i < flags.size(); ++i)
      EXPECT_EQ(flags[i], value_of_code(from, static_cast<uint8_t>(i)) != 0) << name(from);
  }
}

// Digits that f32 has not must not be rounded twice.
TEST(Narrow, RoundsOnceFromWiderTypes) {
  for (const Documented& f : kFormats) {
    for (unsigned c = 0; c + 1 < code_count(f.type) / 2; ++c) {
      const double low = value_of_code(f.type, static_cast<uint8_t>(c));
      const double high = value_of_code(f.type, static_cast<uint8_t>(c + 1));
      if (!std::isfinite(high)) break;
      const double half = low + (high - low) / 2;
      const Tensor x = Tensor::from<double>(
          {std::nextafter(half, 0.0), half, std::nextafter(half, HUGE_VAL)}, {3});
      const auto got = converted(x, f.type).to_vector<double>();
      EXPECT_EQ(got, (std::vector<double>{low, c % 2 ? high : low, high})) << name(f.type);
    }
  }
  // 2^40 + 1 is past halfway to nothing; 2^8 + 2^4 + 1 is just past halfway between 256 and 288.
  EXPECT_EQ(converted(Tensor::ints({272, 273, (int64_t{1} << 40) + 1}), DType::f8e4m3fn)
                .to_vector<double>(),
            (std::vector<double>{256, 288, 448}));
}

TEST(Narrow, IntegersKeepTheirLowBits) {
  const std::vector<int64_t> numbers = {-9, -8, -1, 0, 7, 8, 15, 16, 300, INT64_MIN, INT64_MAX};
  const Tensor x = Tensor::ints(numbers);
  for (const DType type : {DType::u4, DType::i4, DType::u2, DType::i2}) {
    const auto got = converted(x, type).to_vector<int64_t>();
    const auto count = static_cast<int64_t>(code_count(type));
    for (size_t i = 0; i < got.size(); ++i) {
      int64_t want = (numbers[i] % count + count) % count;
      if ((type == DType::i4 || type == DType::i2) && want >= count / 2) want -= count;
      EXPECT_EQ(got[i], want) << name(type) << " of " << numbers[i];
    }
  }
  // Floats drop their fractions first.
  EXPECT_EQ(converted(Tensor::from<float>({-9, 15, 7.9F, -0.9F, kNan}, {5}), DType::i4)
                .to_vector<int64_t>(),
            (std::vector<int64_t>{7, -1, 7, 0, 0}));
  EXPECT_EQ(converted(Tensor::from<bool>({true, false}, {2}), DType::u2).to_vector<int64_t>(),
            (std::vector<int64_t>{1, 0}));
}

// Many elements, strided ones, and from one storage type to another.
TEST(Narrow, TensorsConvertAsTheirElements) {
  const Tensor numbers = converted(Tensor::arange(3 * 700), DType::f32).reshape({3, 700});
  for (const DType type : {DType::f8e5m2, DType::i4}) {
    Tensor y = Tensor::empty({700, 3}, type);
    y.copy_from(numbers.transpose(0, 1));
    for (const int64_t i : {0, 1, 255, 256, 257, 699})
      for (int64_t j = 0; j < 3; ++j) {
        const auto x = static_cast<float>(j * 700 + i);
        const uint8_t want =
            type == DType::i4 ? code_of(type, static_cast<int64_t>(x)) : code_of(type, x);
        EXPECT_EQ(static_cast<const uint8_t*>(y.raw())[i * 3 + j], want);
      }
  }
  const Tensor fours = all_codes(DType::f4e2m1);
  EXPECT_EQ(converted(fours, DType::f8e4m3fn).to_vector<double>(), fours.to_vector<double>());
  EXPECT_EQ(converted(fours, DType::i2).to_vector<int64_t>(),
            (std::vector<int64_t>{0, 0, 1, 1, -2, -1, 0, -2, 0, 0, -1, -1, -2, 1, 0, -2}));
}

TEST(Narrow, TensorsShowTheirNumbers) {
  EXPECT_EQ(Tensor::full({2}, 1.5, DType::f8e4m3fn).str(), "f8e4m3fn [2] [1.5000, 1.5000]");
  EXPECT_EQ(Tensor::scalar(-3, DType::i4).str(), "i4 [] -3");
  EXPECT_EQ(Tensor::scalar(-3, DType::i4).item<int>(), -3);
  EXPECT_EQ(Tensor::scalar(0.3, DType::f8e5m2).item<double>(), 0.3125);
  EXPECT_EQ(Tensor::ones({2}, DType::u2).to_vector<double>(), (std::vector<double>{1, 1}));
}

TEST(Narrow, NoConversionToText) {
  Tensor text = Tensor::strings({"1"}, {1});
  EXPECT_THROW(text.copy_from(Tensor::ones({1}, DType::f8e5m2)), Error);
  EXPECT_THROW(Tensor::ones({1}, DType::u4).copy_from(text), Error);
}

}  // namespace
}  // namespace tenon
