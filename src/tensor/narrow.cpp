// Tables of the numbers behind the codes, and rounding to codes by integer arithmetic.
#include "tensor/narrow.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "base/error.h"

namespace tenon {
namespace {

// A float of sign, exponent and mantissa.
struct Format {
  int mantissa;     // bits
  int bias;         // of the exponent
  uint8_t sign;     // its bit
  uint8_t largest;  // the largest finite number
  uint8_t beyond;   // what larger ones become where they do not saturate
  uint8_t nan;
  bool one_nan;  // the code of -0 is the only NaN (or, in f4e2m1, what NaN becomes)
};

constexpr Format format_of(DType type) {
  switch (type) {
    case DType::f8e4m3fn: return {3, 7, 0x80, 0x7e, 0x7f, 0x7f, false};
    case DType::f8e4m3fnuz: return {3, 8, 0x80, 0x7f, 0x80, 0x80, true};
    case DType::f8e5m2: return {2, 15, 0x80, 0x7b, 0x7c, 0x7e, false};
    case DType::f8e5m2fnuz: return {2, 16, 0x80, 0x7f, 0x80, 0x80, true};
    default: return {1, 1, 0x08, 0x07, 0x07, 0x08, true};  // f4e2m1
  }
}

constexpr float kNan = std::bit_cast<float>(0x7fc00000U);
constexpr float kInfinity = std::bit_cast<float>(0x7f800000U);

constexpr float power_of_two(int exponent) {
  float value = 1;
  for (; exponent > 0; --exponent) value *= 2;
  for (; exponent < 0; ++exponent) value /= 2;
  return value;
}

constexpr float with_sign(float value, bool negative) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | uint32_t{negative} << 31);
}

constexpr float float_of(DType type, unsigned code) {
  const Format format = format_of(type);
  const unsigned magnitude = code & (format.sign - 1U);
  const bool negative = (code & format.sign) != 0;
  if (format.one_nan && code == format.nan && type != DType::f4e2m1) return kNan;
  if (magnitude > format.largest)
    return with_sign(type == DType::f8e5m2 && magnitude == format.beyond ? kInfinity : kNan,
                     negative);
  const int exponent = static_cast<int>(magnitude >> format.mantissa);
  const unsigned fraction = magnitude & ((1U << format.mantissa) - 1);
  const unsigned digits = exponent ? fraction | 1U << format.mantissa : fraction;
  return with_sign(static_cast<float>(digits) *
                       power_of_two(std::max(exponent, 1) - format.bias - format.mantissa),
                   negative);
}

constexpr float number_of(DType type, unsigned code) {
  switch (type) {
    case DType::u4: return static_cast<float>(code & 15U);
    case DType::i4: return static_cast<float>(static_cast<int>((code & 15U) ^ 8U) - 8);
    case DType::u2: return static_cast<float>(code & 3U);
    case DType::i2: return static_cast<float>(static_cast<int>((code & 3U) ^ 2U) - 2);
    case DType::f8e8m0: return code == 255 ? kNan : power_of_two(static_cast<int>(code) - 127);
    case DType::f4e2m1: return float_of(type, code & 15U);
    default: return float_of(type, code);
  }
}

constexpr auto kFirst = static_cast<size_t>(DType::f8e4m3fn);
constexpr size_t kCount = 10;

using Values = std::array<std::array<float, 256>, kCount>;
constexpr Values kValues = [] {
  Values values{};
  for (size_t type = 0; type < kCount; ++type)
    for (unsigned code = 0; code < 256; ++code)
      values[type][code] = number_of(static_cast<DType>(kFirst + type), code);
  return values;
}();

template <DType kType>
uint8_t encode_float(float value, bool saturate) {
  constexpr Format kFormat = format_of(kType);
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & 0x7fffffffU;
  const uint32_t sign = bits >> 31 ? kFormat.sign : 0U;
  if (magnitude > 0x7f800000U)
    return static_cast<uint8_t>(kFormat.one_nan ? kFormat.nan : kFormat.nan | sign);
  // Below the lowest exponent of normal numbers (f32's subnormals too, which all become 0) the
  // digits are shifted out.
  const int exponent = static_cast<int>(magnitude >> 23) - 127;
  constexpr int kLowest = 1 - kFormat.bias;
  const int below = std::max(0, kLowest - exponent);
  const int shift = 23 - kFormat.mantissa + below;
  const uint32_t digits = (magnitude & 0x7fffffU) | 0x800000U;
  uint32_t code = 0;
  if (shift <= 24) code = (digits + (1U << (shift - 1)) - 1 + (digits >> shift & 1U)) >> shift;
  if (below == 0) code += static_cast<uint32_t>(exponent - kLowest) << kFormat.mantissa;
  if (code > kFormat.largest) {
    if (!saturate && kFormat.beyond == kFormat.nan && kFormat.one_nan) return kFormat.nan;
    code = saturate ? kFormat.largest : kFormat.beyond;
  }
  if (kFormat.one_nan && kType != DType::f4e2m1 && code == 0) return 0;
  return static_cast<uint8_t>(code | sign);
}

uint8_t encode_power(float value, const NarrowRule& rule) {
  constexpr int kLargest = 254;
  if (std::isnan(value) || value < 0) return 255;
  if (value < 0x1p-127F) return rule.saturate ? 0 : 255;
  if (std::isinf(value)) return rule.saturate ? kLargest : 255;
  int exponent = 0;
  const float fraction = std::frexp(value, &exponent);  // in [0.5, 1)
  int code = exponent - 1 + 127;
  if (rule.round == NarrowRule::Round::up) code += fraction > 0.5F;
  if (rule.round == NarrowRule::Round::nearest) code += fraction >= 0.75F;
  if (code > kLargest) return rule.saturate ? kLargest : 255;
  return static_cast<uint8_t>(code);
}

template <DType kType>
void decode_run(const void* from, void* to, int64_t count) {
  constexpr const auto& kNumbers = kValues[static_cast<size_t>(kType) - kFirst];
  const auto* x = static_cast<const uint8_t*>(from);
  if constexpr (kNarrowFloats.has(kType))
    for (int64_t i = 0; i < count; ++i) static_cast<float*>(to)[i] = kNumbers[x[i]];
  else
    for (int64_t i = 0; i < count; ++i)
      static_cast<int8_t*>(to)[i] = static_cast<int8_t>(kNumbers[x[i]]);
}

template <DType kType, bool kSaturate>
void encode_run(const void* from, void* to, int64_t count) {
  const auto* x = static_cast<const float*>(from);
  for (int64_t i = 0; i < count; ++i)
    static_cast<uint8_t*>(to)[i] = encode_float<kType>(x[i], kSaturate);
}

template <NarrowRule::Round kRound, bool kSaturate>
void encode_power_run(const void* from, void* to, int64_t count) {
  const auto* x = static_cast<const float*>(from);
  for (int64_t i = 0; i < count; ++i)
    static_cast<uint8_t*>(to)[i] = encode_power(x[i], {kSaturate, kRound});
}

template <unsigned kMask>
void encode_integer_run(const void* from, void* to, int64_t count) {
  const auto* x = static_cast<const int64_t*>(from);
  for (int64_t i = 0; i < count; ++i)
    static_cast<uint8_t*>(to)[i] = static_cast<uint8_t>(x[i] & kMask);
}

template <DType kType>
NarrowRun encoder_of(bool saturate) {
  return saturate ? encode_run<kType, true> : encode_run<kType, false>;
}

template <NarrowRule::Round kRound>
NarrowRun power_encoder(bool saturate) {
  return saturate ? encode_power_run<kRound, true> : encode_power_run<kRound, false>;
}

void check_stored(DType type) { TENON_BUG_IF(!kStored.has(type), "{} has no codes", name(type)); }

}  // namespace

float value_of_code(DType type, uint8_t code) {
  check_stored(type);
  return kValues[static_cast<size_t>(type) - kFirst][code];
}

uint8_t code_of(DType type, float value, const NarrowRule& rule) {
  switch (type) {
    case DType::f8e4m3fn: return encode_float<DType::f8e4m3fn>(value, rule.saturate);
    case DType::f8e4m3fnuz: return encode_float<DType::f8e4m3fnuz>(value, rule.saturate);
    case DType::f8e5m2: return encode_float<DType::f8e5m2>(value, rule.saturate);
    case DType::f8e5m2fnuz: return encode_float<DType::f8e5m2fnuz>(value, rule.saturate);
    case DType::f4e2m1: return encode_float<DType::f4e2m1>(value, true);
    case DType::f8e8m0: return encode_power(value, rule);
    default: fail_bug(__FILE__, __LINE__, fmt::format("{} is no narrow float", name(type)));
  }
}

uint8_t code_of(DType type, int64_t value) {
  TENON_BUG_IF(!kNarrowInts.has(type), "{} is no narrow integer", name(type));
  return static_cast<uint8_t>(value & (bits_of(type) == 4 ? 15 : 3));
}

NarrowRun decoder(DType type) {
  switch (type) {
    case DType::f8e4m3fn: return decode_run<DType::f8e4m3fn>;
    case DType::f8e4m3fnuz: return decode_run<DType::f8e4m3fnuz>;
    case DType::f8e5m2: return decode_run<DType::f8e5m2>;
    case DType::f8e5m2fnuz: return decode_run<DType::f8e5m2fnuz>;
    case DType::f8e8m0: return decode_run<DType::f8e8m0>;
    case DType::f4e2m1: return decode_run<DType::f4e2m1>;
    case DType::u4: return decode_run<DType::u4>;
    case DType::i4: return decode_run<DType::i4>;
    case DType::u2: return decode_run<DType::u2>;
    case DType::i2: return decode_run<DType::i2>;
    default: check_stored(type); return nullptr;
  }
}

NarrowRun encoder(DType type, const NarrowRule& rule) {
  using Round = NarrowRule::Round;
  switch (type) {
    case DType::f8e4m3fn: return encoder_of<DType::f8e4m3fn>(rule.saturate);
    case DType::f8e4m3fnuz: return encoder_of<DType::f8e4m3fnuz>(rule.saturate);
    case DType::f8e5m2: return encoder_of<DType::f8e5m2>(rule.saturate);
    case DType::f8e5m2fnuz: return encoder_of<DType::f8e5m2fnuz>(rule.saturate);
    case DType::f4e2m1: return encode_run<DType::f4e2m1, true>;
    case DType::f8e8m0:
      if (rule.round == Round::up) return power_encoder<Round::up>(rule.saturate);
      if (rule.round == Round::down) return power_encoder<Round::down>(rule.saturate);
      return power_encoder<Round::nearest>(rule.saturate);
    case DType::u4:
    case DType::i4: return encode_integer_run<15>;
    case DType::u2:
    case DType::i2: return encode_integer_run<3>;
    default: check_stored(type); return nullptr;
  }
}

}  // namespace tenon
