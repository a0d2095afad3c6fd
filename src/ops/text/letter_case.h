// Upper and lower case of UTF-8 text, letter by letter: Unicode's simple mappings, as the C library
// has them. What needs more than one letter (a sharp s in capitals) stays as it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tenon::text {

enum class LetterCase : uint8_t { unchanged, lower, upper };

// A locale such as "en_US" or "tr_TR.UTF-8". Only Turkish and Azerbaijani map letters in a way of
// their own (i with and without a dot); all others are as Unicode says.
enum class CaseRules : uint8_t { unicode, turkic };
CaseRules case_rules(std::string_view locale);

// Nothing where the text is not UTF-8.
std::optional<std::string> in_case(std::string_view text, LetterCase wanted, CaseRules rules);

}  // namespace tenon::text
