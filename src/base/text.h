// Small text: cutting and joining, numbers from text, sizes and durations for people, suggestions
// for misspelt names. All of it is independent of the locale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::text {

// Without ASCII white space at both ends.
std::string_view trim(std::string_view text);
// The pieces between separators, empty ones included: "a,,b" gives "a", "", "b"; "" gives "".
// The pieces point into `text`.
std::vector<std::string_view> split(std::string_view text, char separator);
// The pieces between runs of white space; none are empty.
std::vector<std::string_view> split_words(std::string_view text);
// Lines without their "\n" or "\r\n"; a newline at the end makes no further line.
std::vector<std::string_view> split_lines(std::string_view text);
std::string lower(std::string_view text);  // ASCII letters only
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

template <class Range>
std::string join(const Range& pieces, std::string_view separator) {
  std::string out;
  bool first = true;
  for (const auto& piece : pieces) {
    if (!first) out += separator;
    first = false;
    out += piece;
  }
  return out;
}

// Text from outside, safe to print: in single quotes, control characters and bytes that are not
// UTF-8 as \xNN, cut after about `limit` bytes with "...".
std::string quoted(std::string_view text, size_t limit = 60);
bool is_utf8(std::string_view text);
// Text on its way to a terminal or log: control characters other than newline and tab, and bytes
// that are not UTF-8, become \xNN, so that nobody else's text can move the cursor.
std::string printable(std::string_view text);

// -- Numbers ---------------------------------------------------------------------------------
// The whole of `text` as a number (a leading '+' is allowed, white space is not), or nothing where
// it is not one or does not fit. For int, int64_t, unsigned, uint64_t, float and double.
template <class T>
std::optional<T> parse_number(std::string_view text);

// As parse_number, but fails (usage) naming what was read:
// "--epochs: '12x' is not a whole number; use 1 to 1000".
int64_t check_int(std::string_view text, std::string_view what, int64_t min = INT64_MIN,
                  int64_t max = INT64_MAX);
// Finite numbers only.
double check_double(std::string_view text, std::string_view what, double min, double max);
double check_double(std::string_view text, std::string_view what);
// "4096", "64kB", "1.5 GB", "2GiB": k, M, G, T are powers of 1000, Ki, Mi, Gi, Ti of 1024; the B
// may be left out. Nothing where it is not a size.
std::optional<uint64_t> parse_bytes(std::string_view text);

// -- For people ------------------------------------------------------------------------------
std::string human_bytes(uint64_t bytes);     // "512 B", "1.4 MB" (powers of 1000)
std::string human_count(double count);       // "950", "25.6 M", "4.1 G"
std::string human_duration(double seconds);  // "85.0 us", "12.5 ms", "3.42 s", "2m 03s", "1h 02m"
std::string human_number(double value);      // four significant digits: "0.6931", "1.2e-05"
std::string plural(uint64_t count, std::string_view noun);  // "1 file", "3 files"

// -- Suggestions -----------------------------------------------------------------------------
// Edits (insert, delete, replace, swap neighbours) that turn `a` into `b`, ASCII case ignored; no
// more than `limit` + 1 is returned. Optimal string alignment distance.
size_t edit_distance(std::string_view a, std::string_view b, size_t limit = SIZE_MAX - 1);

// The candidate nearest to a misspelt word: at most one edit in three letters, the first of equally
// near ones; empty when none is near enough.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);
template <class Range>
std::string did_you_mean(std::string_view word, const Range& candidates) {
  std::vector<std::string_view> views;
  for (const auto& candidate : candidates) views.emplace_back(candidate);
  return did_you_mean(word, std::span<const std::string_view>(views));
}
inline std::string did_you_mean(std::string_view word,
                                std::initializer_list<std::string_view> candidates) {
  return did_you_mean(word, std::span(candidates.begin(), candidates.size()));
}

// The last clause of an error about an unknown name: "; did you mean 'softmax'?", else the choices
// when there are at most twelve ("; use a, b or c"), else nothing.
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);
template <class Range>
std::string suggestion(std::string_view word, const Range& candidates) {
  std::vector<std::string_view> views;
  for (const auto& candidate : candidates) views.emplace_back(candidate);
  return suggestion(word, std::span<const std::string_view>(views));
}
inline std::string suggestion(std::string_view word,
                              std::initializer_list<std::string_view> candidates) {
  return suggestion(word, std::span(candidates.begin(), candidates.size()));
}

}  // namespace tenon::text
