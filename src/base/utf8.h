// One step through UTF-8 text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tenon {

struct CodePoint {
  char32_t value = 0;
  int bytes = 1;       // to step over: 1 where invalid
  bool valid = false;  // overlong forms, surrogates and values past U+10FFFF are not
};

// The code point at `at`, which is inside the text.
constexpr CodePoint decode_utf8(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {lead, 1, true};
  const int bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() - at < static_cast<size_t>(bytes)) return {};
  char32_t value = lead & (0xffU >> (bytes + 1));
  for (int i = 1; i < bytes; ++i) {
    const unsigned char next = byte(at + static_cast<size_t>(i));
    if ((next & 0xc0U) != 0x80U) return {};
    value = (value << 6) | (next & 0x3fU);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kSmallest[bytes] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
    return {};
  return {value, bytes, true};
}

}  // namespace tenon
