// How many columns UTF-8 text takes on a terminal.
#include <algorithm>
#include <array>

#include "base/terminal.h"
#include "base/utf8.h"

namespace tenon::terminal {

namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Combining marks, joiners, variation selectors: Unicode 15, general categories Mn, Me and Cf, the
// blocks in use with Latin, Greek, Cyrillic, Hebrew, Arabic, Indic, Thai and CJK text.
constexpr std::array kZeroWidth{
    Range{0x0300, 0x036f},   Range{0x0483, 0x0489}, Range{0x0591, 0x05bd}, Range{0x0610, 0x061a},
    Range{0x064b, 0x065f},   Range{0x0900, 0x0902}, Range{0x093c, 0x093c}, Range{0x0941, 0x0948},
    Range{0x094d, 0x094d},   Range{0x0e31, 0x0e31}, Range{0x0e34, 0x0e3a}, Range{0x0e47, 0x0e4e},
    Range{0x1ab0, 0x1aff},   Range{0x1dc0, 0x1dff}, Range{0x200b, 0x200f}, Range{0x202a, 0x202e},
    Range{0x2060, 0x2064},   Range{0x20d0, 0x20f0}, Range{0x302a, 0x302d}, Range{0x3099, 0x309a},
    Range{0xfe00, 0xfe0f},   Range{0xfe20, 0xfe2f}, Range{0xfeff, 0xfeff}, Range{0x1f3fb, 0x1f3ff},
    Range{0xe0100, 0xe01ef},
};

// East Asian Wide and Fullwidth (UAX #11), with the emoji shown wide.
constexpr std::array kWide{
    Range{0x1100, 0x115f},   Range{0x231a, 0x231b},   Range{0x23e9, 0x23ec},
    Range{0x25fd, 0x25fe},   Range{0x2614, 0x2615},   Range{0x2648, 0x2653},
    Range{0x26a1, 0x26a1},   Range{0x26bd, 0x26be},   Range{0x2705, 0x2705},
    Range{0x270a, 0x270b},   Range{0x2728, 0x2728},   Range{0x274c, 0x274c},
    Range{0x2753, 0x2755},   Range{0x2757, 0x2757},   Range{0x2795, 0x2797},
    Range{0x2b1b, 0x2b1c},   Range{0x2b50, 0x2b50},   Range{0x2e80, 0x303e},
    Range{0x3041, 0x33ff},   Range{0x3400, 0x4dbf},   Range{0x4e00, 0xa4cf},
    Range{0xa960, 0xa97c},   Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},
    Range{0xfe30, 0xfe6f},   Range{0xff00, 0xff60},   Range{0xffe0, 0xffe6},
    Range{0x1f004, 0x1f004}, Range{0x1f0cf, 0x1f0cf}, Range{0x1f18e, 0x1f19a},
    Range{0x1f200, 0x1f320}, Range{0x1f32d, 0x1f64f}, Range{0x1f680, 0x1f6fc},
    Range{0x1f7e0, 0x1f7eb}, Range{0x1f90c, 0x1f9ff}, Range{0x1fa70, 0x1faff},
    Range{0x20000, 0x3fffd},
};

template <size_t N>
bool contains(const std::array<Range, N>& ranges, char32_t c) {
  const auto it = std::lower_bound(ranges.begin(), ranges.end(), c,
                                   [](const Range& range, char32_t x) { return range.last < x; });
  return it != ranges.end() && it->first <= c;
}

struct Step {
  size_t bytes;
  size_t columns;
};

// The next code point, or the whole ANSI control sequence (ECMA-48, 5.4), at `at`.
Step step(std::string_view text, size_t at) {
  if (text.substr(at).starts_with("\x1b[")) {
    const size_t end = std::find_if(text.begin() + static_cast<ptrdiff_t>(at) + 2, text.end(),
                                    [](char c) { return c >= 0x40 && c <= 0x7e; }) -
                       text.begin();
    return {std::min(end + 1, text.size()) - at, 0};
  }
  const CodePoint c = decode_utf8(text, at);
  const auto bytes = static_cast<size_t>(c.bytes);
  if (!c.valid) return {bytes, 1};
  if (c.value < 0x20 || (c.value >= 0x7f && c.value < 0xa0)) return {bytes, 0};
  if (c.value < 0x300) return {bytes, 1};
  if (contains(kZeroWidth, c.value)) return {bytes, 0};
  return {bytes, contains(kWide, c.value) ? size_t{2} : size_t{1}};
}

}  // namespace

size_t display_width(std::string_view text) {
  size_t columns = 0;
  for (size_t at = 0; at < text.size();) {
    const Step next = step(text, at);
    columns += next.columns;
    at += next.bytes;
  }
  return columns;
}

std::string truncate(std::string_view text, size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns == 0) return "";
  const std::string_view ellipsis = unicode() ? "…" : "~";
  std::string out;
  size_t used = 0;
  bool cut = false;
  for (size_t at = 0; at < text.size();) {
    const Step next = step(text, at);
    const bool control = text[at] == '\x1b';  // kept after the cut: one of them ends the colour
    if (!cut && used + next.columns > columns - 1) {
      cut = true;
      out += ellipsis;
    }
    if (!cut || control) out += text.substr(at, next.bytes);
    used += next.columns;
    at += next.bytes;
  }
  return out;
}

std::string pad(std::string_view text, size_t columns, Align align) {
  const size_t used = display_width(text);
  const std::string space(columns > used ? columns - used : 0, ' ');
  return align == Align::left ? std::string(text) + space : space + std::string(text);
}

}  // namespace tenon::terminal
