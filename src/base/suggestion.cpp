// "Did you mean": edit distance and the choice of the nearest name.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace tenon::text {

namespace {

char fold(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b, size_t limit) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > limit) return limit + 1;
  // Rows of the table for prefixes of b: two back, one back, this one.
  std::vector<size_t> before(a.size() + 1), last(a.size() + 1), now(a.size() + 1);
  for (size_t i = 0; i <= a.size(); ++i) last[i] = i;
  for (size_t j = 1; j <= b.size(); ++j) {
    now[0] = j;
    size_t least = j;
    const char y = fold(b[j - 1]);
    for (size_t i = 1; i <= a.size(); ++i) {
      const char x = fold(a[i - 1]);
      now[i] = std::min({last[i] + 1, now[i - 1] + 1, last[i - 1] + (x == y ? 0 : 1)});
      if (i > 1 && j > 1 && x == fold(b[j - 2]) && fold(a[i - 2]) == y)
        now[i] = std::min(now[i], before[i - 2] + 1);
      least = std::min(least, now[i]);
    }
    if (least > limit) return limit + 1;
    std::swap(before, last);
    std::swap(last, now);
  }
  return std::min(last[a.size()], limit + 1);
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  size_t limit = std::min<size_t>(word.size() / 3, 5);
  for (std::string_view candidate : candidates) {
    const size_t distance = edit_distance(word, candidate, limit);
    if (distance > limit || candidate.empty()) continue;
    best = candidate;
    if (distance == 0) break;
    limit = distance - 1;
  }
  return std::string(best);
}

std::string suggestion(std::string_view word, std::span<const std::string_view> candidates) {
  if (const std::string nearest = did_you_mean(word, candidates); !nearest.empty())
    return fmt::format("; did you mean '{}'?", nearest);
  if (candidates.empty() || candidates.size() > 12) return "";
  if (candidates.size() == 1) return fmt::format("; use {}", candidates[0]);
  const auto all_but_last = candidates.first(candidates.size() - 1);
  return fmt::format("; use {} or {}", join(all_but_last, ", "), candidates.back());
}

}  // namespace tenon::text
