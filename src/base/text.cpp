// Cutting and joining, numbers from text, text from numbers.
#include "base/text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <limits>

#include "base/error.h"
#include "base/utf8.h"

namespace tenon::text {

namespace {

constexpr std::string_view kSpace = " \t\r\n\v\f";

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7f && c < 0xa0); }

void append_hex(std::string& out, std::string_view bytes) {
  for (char c : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
}

// Three significant digits, never more than four columns: "1.23", "12.3", "123".
std::string three_digits(double value) {
  if (value < 9.995) return fmt::format("{:.2f}", value);
  if (value < 99.95) return fmt::format("{:.1f}", value);
  return fmt::format("{:.0f}", value);
}

std::string range_hint(double min, double max, std::string_view low, std::string_view high) {
  const bool has_low = !low.empty() && std::isfinite(min);
  const bool has_high = !high.empty() && std::isfinite(max);
  if (has_low && has_high) return fmt::format("use {} to {}", low, high);
  if (has_low) return fmt::format("use {} or more", low);
  if (has_high) return fmt::format("use {} or less", high);
  return "use digits only";
}

}  // namespace

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (true) {
    const size_t at = text.find(separator);
    pieces.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  size_t at = 0;
  while ((at = text.find_first_not_of(kSpace, at)) != std::string_view::npos) {
    const size_t end = std::min(text.find_first_of(kSpace, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t at = text.find('\n');
    std::string_view line = text.substr(0, at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    if (at == std::string_view::npos) break;
    text.remove_prefix(at + 1);
  }
  return lines;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  if (from.empty()) return std::string(text);
  std::string out;
  while (true) {
    const size_t at = text.find(from);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    out += to;
    text.remove_prefix(at + from.size());
  }
}

std::string quoted(std::string_view text, size_t limit) {
  std::string out = "'";
  for (size_t i = 0; i < text.size();) {
    if (i >= limit) {
      out += "...";
      break;
    }
    const CodePoint c = decode_utf8(text, i);
    const std::string_view bytes = text.substr(i, static_cast<size_t>(c.bytes));
    if (!c.valid || is_control(c.value))
      append_hex(out, bytes);
    else
      out += bytes;
    i += bytes.size();
  }
  return out += "'";
}

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    if (!c.valid) return false;
    i += static_cast<size_t>(c.bytes);
  }
  return true;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text, i);
    const std::string_view bytes = text.substr(i, static_cast<size_t>(c.bytes));
    if (!c.valid || (is_control(c.value) && c.value != '\n' && c.value != '\t'))
      append_hex(out, bytes);
    else
      out += bytes;
    i += bytes.size();
  }
  return out;
}

// -- Numbers ---------------------------------------------------------------------------------

template <class T>
std::optional<T> parse_number(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || text.empty()) return std::nullopt;
  return value;
}
template std::optional<int> parse_number(std::string_view);
template std::optional<unsigned> parse_number(std::string_view);
template std::optional<int64_t> parse_number(std::string_view);
template std::optional<uint64_t> parse_number(std::string_view);
template std::optional<float> parse_number(std::string_view);
template std::optional<double> parse_number(std::string_view);

int64_t check_int(std::string_view text, std::string_view what, int64_t min, int64_t max) {
  const auto hint = [&] {
    return range_hint(0, 0, min == INT64_MIN ? "" : std::to_string(min),
                      max == INT64_MAX ? "" : std::to_string(max));
  };
  const std::optional<int64_t> value = parse_number<int64_t>(text);
  TENON_CHECK(value.has_value(), usage, "{}: {} is not a whole number{}; {}", what, quoted(text),
              text.find_first_not_of("0123456789") == std::string_view::npos && !text.empty()
                  ? " of 64 bits"
                  : "",
              hint());
  TENON_CHECK(*value >= min && *value <= max, usage, "{}: {} is out of range; {}", what, *value,
              hint());
  return *value;
}

double check_double(std::string_view text, std::string_view what, double min, double max) {
  const auto hint = [&] {
    return range_hint(min, max, fmt::format("{}", min), fmt::format("{}", max));
  };
  const std::optional<double> value = parse_number<double>(text);
  TENON_CHECK(value.has_value() && std::isfinite(*value), usage, "{}: {} is not a number; {}", what,
              quoted(text), hint());
  TENON_CHECK(*value >= min && *value <= max, usage, "{}: {} is out of range; {}", what, *value,
              hint());
  return *value;
}

double check_double(std::string_view text, std::string_view what) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return check_double(text, what, -kInfinity, kInfinity);
}

std::optional<uint64_t> parse_bytes(std::string_view text) {
  text = trim(text);
  const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::optional<double> number = parse_number<double>(text.substr(0, digits));
  if (!number) return std::nullopt;
  std::string unit = lower(trim(text.substr(digits)));
  if (unit.ends_with('b')) unit.pop_back();
  double scale = 1;
  if (!unit.empty()) {
    const size_t power = std::string_view("kmgt").find(unit[0]);
    if (power == std::string_view::npos) return std::nullopt;
    if (unit.size() > 2 || (unit.size() == 2 && unit[1] != 'i')) return std::nullopt;
    scale = std::pow(unit.size() == 2 ? 1024.0 : 1000.0, static_cast<double>(power + 1));
  } else if (const auto whole = parse_number<uint64_t>(text.substr(0, digits))) {
    return whole;  // exact past 2^53
  }
  const double bytes = std::round(*number * scale);
  if (!(bytes < 0x1p64)) return std::nullopt;
  return static_cast<uint64_t>(bytes);
}

// -- For people ------------------------------------------------------------------------------

std::string human_bytes(uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  constexpr std::array<std::string_view, 6> kUnits{"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return fmt::format("{:.{}f} {}", value, value < 99.95 ? 1 : 0, kUnits[unit]);
}

std::string human_count(double count) {
  const double magnitude = std::abs(count);
  if (!std::isfinite(count)) return fmt::format("{}", count);
  if (magnitude < 999.5) {
    if (count == std::round(count)) return fmt::format("{:.0f}", count);
    return (count < 0 ? "-" : "") + three_digits(magnitude);
  }
  constexpr std::array<std::string_view, 5> kUnits{"k", "M", "G", "T", "P"};
  double value = magnitude / 1000;
  size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return fmt::format("{}{:.{}f} {}", count < 0 ? "-" : "", value, value < 99.95 ? 1 : 0,
                     kUnits[unit]);
}

std::string human_duration(double seconds) {
  if (!std::isfinite(seconds)) return "?";
  if (seconds < 0) return "-" + human_duration(-seconds);
  if (seconds == 0) return "0 s";
  if (seconds < 0.9995e-6) return fmt::format("{:.0f} ns", seconds * 1e9);
  if (seconds < 0.9995e-3) return three_digits(seconds * 1e6) + " us";
  if (seconds < 0.9995) return three_digits(seconds * 1e3) + " ms";
  if (seconds < 59.95) return three_digits(seconds) + " s";
  const double whole = std::round(seconds);
  if (whole >= 1e15) return fmt::format("{:.3g} years", whole / 31557600);
  const auto total = static_cast<int64_t>(whole);
  if (total < 3600) return fmt::format("{}m {:02}s", total / 60, total % 60);
  if (total < 86400) return fmt::format("{}h {:02}m", total / 3600, total / 60 % 60);
  return fmt::format("{}d {:02}h", total / 86400, total / 3600 % 24);
}

std::string human_number(double value) { return fmt::format("{:.4g}", value); }

std::string plural(uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace tenon::text
