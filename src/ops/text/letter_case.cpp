// Case by the C library's tables for UTF-8, which do not depend on the process's locale.
#include "ops/text/letter_case.h"

#include <wctype.h>

#include <clocale>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace tenon::text {

namespace {

constexpr char32_t kDotlessSmallI = 0x131, kDottedCapitalI = 0x130;

locale_t unicode_tables() {
  static const locale_t tables = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  TENON_CHECK(tables, resource,
              "the C library has no locale C.UTF-8, which upper and lower case are read from; "
              "install it");
  return tables;
}

char32_t in_case(char32_t letter, LetterCase wanted, CaseRules rules) {
  const bool lower = wanted == LetterCase::lower;
  if (rules == CaseRules::turkic) {
    if (lower && letter == U'I') return kDotlessSmallI;
    if (lower && letter == kDottedCapitalI) return U'i';
    if (!lower && letter == U'i') return kDottedCapitalI;
    if (!lower && letter == kDotlessSmallI) return U'I';
  }
  const auto wide = static_cast<wint_t>(letter);
  return static_cast<char32_t>(lower ? towlower_l(wide, unicode_tables())
                                     : towupper_l(wide, unicode_tables()));
}

void append_utf8(std::string& text, char32_t letter) {
  const auto tail = [&](int shift) {
    text += static_cast<char>(0x80U | ((letter >> shift) & 0x3fU));
  };
  if (letter < 0x80) {
    text += static_cast<char>(letter);
  } else if (letter < 0x800) {
    text += static_cast<char>(0xc0U | (letter >> 6));
    tail(0);
  } else if (letter < 0x10000) {
    text += static_cast<char>(0xe0U | (letter >> 12));
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xf0U | (letter >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

CaseRules case_rules(std::string_view locale) {
  const std::string language = lower(locale.substr(0, locale.find_first_of("_-.@")));
  return language == "tr" || language == "az" ? CaseRules::turkic : CaseRules::unicode;
}

std::optional<std::string> in_case(std::string_view text, LetterCase wanted, CaseRules rules) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const CodePoint letter = decode_utf8(text, at);
    if (!letter.valid) return std::nullopt;
    const auto bytes = static_cast<size_t>(letter.bytes);
    if (wanted == LetterCase::unchanged)
      out.append(text.substr(at, bytes));
    else
      append_utf8(out, in_case(letter.value, wanted, rules));
    at += bytes;
  }
  return out;
}

}  // namespace tenon::text
