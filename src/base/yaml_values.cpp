// Scalars of a Config as C++ values.
#include <cmath>
#include <concepts>
#include <limits>
#include <optional>

#include "base/text.h"
#include "base/yaml_tree.h"

namespace tenon {

namespace {

using Node = Config::Node;

template <class T>
struct ListOf : std::false_type {};
template <class T>
struct ListOf<std::vector<T>> : std::true_type {
  using Item = T;
};

template <class T>
std::string_view expected() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_same_v<T, int>) return "a whole number of 32 bits";
  if constexpr (std::is_same_v<T, int64_t>) return "a whole number";
  if constexpr (std::is_same_v<T, unsigned>) return "a whole number of 32 bits, not negative,";
  if constexpr (std::is_same_v<T, uint64_t>) return "a whole number, not negative,";
  if constexpr (std::is_floating_point_v<T>) return "a number";
  return "text";
}

// "0x1f", "-0o17" by their digits; nothing for decimal numbers.
std::optional<uint64_t> parse_radix(std::string_view text) {
  const int base = text.starts_with("0x") ? 16 : text.starts_with("0o") ? 8 : 0;
  if (base == 0 || text.size() < 3 || text.size() > 24) return std::nullopt;
  uint64_t value = 0;
  for (char c : text.substr(2)) {
    const std::string_view digits = "0123456789abcdef";
    const size_t digit = digits.find(text::lower({&c, 1}));
    if (digit >= static_cast<size_t>(base) || value > UINT64_MAX / 16) return std::nullopt;
    value = value * static_cast<uint64_t>(base) + digit;
  }
  return value;
}

std::optional<double> parse_float(std::string_view text) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::string lower = text::lower(text);
  if (lower == ".inf" || lower == "+.inf") return kInfinity;
  if (lower == "-.inf") return -kInfinity;
  if (lower == ".nan") return std::numeric_limits<double>::quiet_NaN();
  // C++ reads "inf" and "nan" as numbers, YAML as text.
  if (lower.find_first_of("in") != std::string::npos) return std::nullopt;
  return text::parse_number<double>(text);
}

template <class T>
std::optional<T> parse_whole(std::string_view text) {
  if (const auto value = text::parse_number<T>(text)) return value;
  if (const auto value = parse_radix(text))
    return std::in_range<T>(*value) ? std::optional(static_cast<T>(*value)) : std::nullopt;
  // 1e6, 2.0: exact as a double.
  const std::optional<double> number = parse_float(text);
  if (!number || std::abs(*number) > 0x1p53 || *number != std::trunc(*number)) return std::nullopt;
  const auto whole = static_cast<int64_t>(*number);
  return std::in_range<T>(whole) ? std::optional(static_cast<T>(whole)) : std::nullopt;
}

template <class T>
std::optional<T> convert(const Node& node) {
  if (node.kind != Config::Kind::scalar) return std::nullopt;
  if constexpr (std::is_same_v<T, std::string>) {
    return node.text;
  } else {
    if (node.quoted) return std::nullopt;
    if constexpr (std::is_same_v<T, bool>) {
      if (node.text == "true" || node.text == "True" || node.text == "TRUE") return true;
      if (node.text == "false" || node.text == "False" || node.text == "FALSE") return false;
      return std::nullopt;
    } else if constexpr (std::is_integral_v<T>) {
      return parse_whole<T>(node.text);
    } else {
      const std::optional<double> value = parse_float(node.text);
      if (!value) return std::nullopt;
      if (std::isfinite(*value) && std::abs(*value) > std::numeric_limits<T>::max())
        return std::nullopt;
      return static_cast<T>(*value);
    }
  }
}

}  // namespace

template <class T>
T Config::as() const {
  if constexpr (ListOf<T>::value) {
    T values;
    for (const Config& item : items()) values.push_back(item.as<typename ListOf<T>::Item>());
    return values;
  } else {
    if (node_ != nullptr)
      if (std::optional<T> value = convert<T>(*node_)) return *std::move(value);
    fail_type(expected<T>());
  }
}

template <class T>
T Config::get(std::string_view key) const {
  return at(key).as<T>();
}

template <class T>
T Config::get(std::string_view key, T fallback) const {
  const Config value(document_, look_up(key));
  return value ? value.as<T>() : std::move(fallback);
}

template <class T>
T Config::get_in(std::string_view key, T fallback, T min, T max) const {
  const Config value(document_, look_up(key));
  if (!value) return fallback;
  const T number = value.as<T>();
  if (!(number >= min && number <= max))
    value.fail(fmt::format("{}: {} is out of range; use {} to {}", value.path(), number, min, max));
  return number;
}

#define TENON_CONFIG_VALUE(T)                            \
  template T Config::as<T>() const;                      \
  template T Config::get<T>(std::string_view key) const; \
  template T Config::get<T>(std::string_view key, T fallback) const;
#define TENON_CONFIG_TYPE(T) TENON_CONFIG_VALUE(T) TENON_CONFIG_VALUE(std::vector<T>)
#define TENON_CONFIG_NUMBER(T) \
  TENON_CONFIG_TYPE(T)         \
  template T Config::get_in<T>(std::string_view key, T fallback, T min, T max) const;

TENON_CONFIG_TYPE(bool)
TENON_CONFIG_TYPE(std::string)
TENON_CONFIG_NUMBER(int)
TENON_CONFIG_NUMBER(int64_t)
TENON_CONFIG_NUMBER(unsigned)
TENON_CONFIG_NUMBER(uint64_t)
TENON_CONFIG_NUMBER(float)
TENON_CONFIG_NUMBER(double)

}  // namespace tenon
