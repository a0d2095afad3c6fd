// Cast between all types, BitCast and Identity.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

#include "backends/reference/elements.h"
#include "backends/reference/kernels/catalog.h"
#include "ops/math/catalog.h"
#include "tensor/convert.h"

namespace tenon::reference {

namespace {

// -- Numbers to text ----------------------------------------------------------------------------

// The fewest digits that read back as the same element of `type`, as "d.ddde+xx".
std::string shortest_digits(double value, DType type) {
  std::array<std::byte, 8> wanted, found;
  storer<double>(type)(wanted.data(), 0, value);
  std::array<char, 40> text;
  for (int digits = 0;; ++digits) {
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value,
                                   std::chars_format::scientific, digits);
    double back = 0;
    std::from_chars(text.data(), end.ptr, back);
    storer<double>(type)(found.data(), 0, back);
    if (digits == 17 || std::equal(wanted.begin(), wanted.begin() + size_of(type), found.begin()))
      return {text.data(), end.ptr};
  }
}

// As NumPy prints a float: "0.1", "2.0", "1e-05", "1.5e+16"; positional from 1e-4 up to 1e16. The
// special values are spelled as ONNX's Cast reads them.
std::string text_of(double value, DType type) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-INF" : "INF";
  const std::string shortest = shortest_digits(value, type);
  const size_t e = shortest.find('e');
  int exponent = 0;
  // from_chars takes no plus sign
  std::from_chars(shortest.data() + e + (shortest[e + 1] == '+' ? 2 : 1),
                  shortest.data() + shortest.size(), exponent);
  const double size = std::fabs(value);
  if (size != 0 && (size < 1e-4 || size >= 1e16)) return shortest;

  std::string digits = shortest.substr(0, e);
  std::string sign;
  if (digits[0] == '-') {
    sign = "-";
    digits.erase(0, 1);
  }
  std::erase(digits, '.');
  if (exponent < 0)
    return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) digits.append(whole - digits.size() + 1, '0');
  return sign + digits.insert(whole, ".");
}

template <class Wide>
std::string text_of(Wide value, DType type) {
  if (type == DType::boolean) return value != 0 ? "True" : "False";
  return std::to_string(value);
}

// -- Text to numbers ----------------------------------------------------------------------------

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  text = text.substr(first, text.find_last_not_of(kSpace) - first + 1);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  return text;
}

bool same_word(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b;
  });
}

template <class T>
bool parse(std::string_view text, T& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

// Numbers beyond double become infinite or 0, as their exponent says.
bool parse_float(std::string_view text, double& value) {
  if (parse(text, value)) return true;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc::result_out_of_range || result.ptr != text.data() + text.size())
    return false;
  const bool small =
      text.find("e-") != std::string_view::npos || text.find("E-") != std::string_view::npos;
  value = std::copysign(small ? 0 : INFINITY, text[0] == '-' ? -1 : 1);
  return true;
}

// As the rule of a Cast to narrow floats says.
NarrowRule rule_of(const Call& call) {
  using Round = NarrowRule::Round;
  const std::string_view mode = call.s("round_mode");
  return {call.i("saturate") != 0, mode == "down"      ? Round::down
                                   : mode == "nearest" ? Round::nearest
                                                       : Round::up};
}

void store_number(DType type, void* to, int64_t i, double value, const NarrowRule& rule) {
  if (kNarrowFloats.has(type))
    static_cast<uint8_t*>(to)[i] = code_of(type, detail::narrow_to_odd(value), rule);
  else
    storer<double>(type)(to, i, value);
}

void store_text(DType type, void* to, int64_t i, const std::string& original,
                const NarrowRule& rule) {
  const std::string_view text = trim(original);
  const bool may_be_fraction = is_float(type) || kNarrowFloats.has(type);
  int64_t integer = 0;
  uint64_t large = 0;
  double number = 0;
  if (type == DType::boolean && (same_word(text, "true") || same_word(text, "false")))
    storer<uint64_t>(type)(to, i, same_word(text, "true"));
  else if (!may_be_fraction && parse(text, integer))
    storer<int64_t>(type)(to, i, integer);
  else if (!may_be_fraction && parse(text, large))
    storer<uint64_t>(type)(to, i, large);
  else if (parse_float(text, number))
    store_number(type, to, i, number, rule);
  else
    fail(ErrorKind::data,
         "Cast: element {} is \"{}\", which is no number; use text such as \"42\", \"-1e-5\" or "
         "\"INF\"",
         i, original.substr(0, 60));
}

// -- Kernels ------------------------------------------------------------------------------------

Prepared copy(const PrepareContext& ctx) {
  const DType type = ctx.inputs[0].dtype;
  const int64_t count = ctx.inputs[0].numel();
  return make_kernel(
      [=](const RunContext& run) { copy_elements(type, run.out[0], 0, run.in[0], 0, count); });
}

Prepared cast_of(const PrepareContext& ctx) {
  const DType from = ctx.inputs[0].dtype, to = ctx.outputs[0].dtype;
  const int64_t count = ctx.inputs[0].numel();
  if (from == to) return copy(ctx);
  const NarrowRule rule = rule_of(ctx);
  if (from == DType::string)
    return make_kernel([=](const RunContext& run) {
      for (int64_t i = 0; i < count; ++i)
        store_text(to, run.out[0], i, run.input<std::string>(0)[i], rule);
    });
  if (to == DType::string) {
    // Storage types read as the types they are decoded to.
    const DType wide = kNarrowFloats.has(from) ? DType::f32 : kStored.has(from) ? DType::i8 : from;
    return with_wide(wide, [&]<class Wide>() -> Prepared {
      return make_kernel([=](const RunContext& run) {
        const In<Wide> x(from, run.in[0]);
        for (int64_t i = 0; i < count; ++i) run.output<std::string>(0)[i] = text_of(x[i], wide);
      });
    });
  }
  return make_kernel([count, convert = convert_run(from, to, rule)](const RunContext& run) {
    convert(run.in[0], run.out[0], count);
  });
}

Prepared bit_cast(const PrepareContext& ctx) {
  const DType from = ctx.inputs[0].dtype;
  if (ctx.outputs[0].dtype != DType::boolean || from == DType::boolean) return copy(ctx);
  // Any byte but 0 is true, and a bool must hold 0 or 1.
  return make_kernel([count = ctx.inputs[0].numel()](const RunContext& run) {
    for (int64_t i = 0; i < count; ++i) run.output<bool>(0)[i] = run.input<uint8_t>(0)[i] != 0;
  });
}

}  // namespace

constinit const KernelList cast{
    {&op::BitCast, "reference.bit_cast", bit_cast},
    {&op::Cast, "reference.cast", cast_of},
    {&op::Identity, "reference.identity", copy},
};

}  // namespace tenon::reference
