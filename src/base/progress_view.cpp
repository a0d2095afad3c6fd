// How progress looks: one line, as a bar that fits a terminal or as a sentence.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/progress.h"
#include "base/terminal.h"
#include "base/text.h"

namespace tenon {

namespace {

// "0:32", "12:05", "1:02:03".
std::string clock_time(double seconds) {
  if (!(seconds >= 0) || seconds > 3.6e8) return "?";
  const auto total = static_cast<int64_t>(std::lround(seconds));
  if (total < 3600) return fmt::format("{}:{:02}", total / 60, total % 60);
  return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
}

double share(const ProgressView& view) {
  if (view.total == 0) return 0;
  return std::min(1.0, static_cast<double>(view.done) / static_cast<double>(view.total));
}

// Rounded down: 100 % is said of what is done only.
int percent(const ProgressView& view) { return static_cast<int>(share(view) * 100); }

std::string amount(double value, const std::string& unit) {
  return unit == "B" ? text::human_bytes(static_cast<uint64_t>(std::max(0.0, value)))
                     : text::human_count(value);
}

std::string counts(const ProgressView& view) {
  std::string out = amount(static_cast<double>(view.done), view.unit);
  if (view.total != 0) out += "/" + amount(static_cast<double>(view.total), view.unit);
  if (!view.unit.empty() && view.unit != "B") out += " " + view.unit;
  return out;
}

std::string rate(const ProgressView& view) {
  if (!(view.rate > 0)) return "";
  const std::string unit = view.unit == "B" ? "" : view.unit;
  return amount(view.rate, view.unit) + (unit.empty() ? "/s" : " " + unit + "/s");
}

std::string time_left(const ProgressView& view) {
  if (view.total == 0 || !(view.rate > 0) || view.done >= view.total) return "";
  return clock_time(static_cast<double>(view.total - view.done) / view.rate);
}

// `filled` from 0 to 1. With box characters, half columns are drawn too.
std::string bar(double filled, size_t columns, bool unicode) {
  const auto halves = static_cast<size_t>(filled * static_cast<double>(columns) * 2);
  std::string out;
  for (size_t i = 0; i < columns; ++i) {
    const bool full = 2 * i + 2 <= halves;
    const bool half = 2 * i + 1 == halves;
    if (unicode)
      out += full ? "━" : half ? "╸" : "─";
    else
      out += full ? "#" : "-";
  }
  return out;
}

struct Piece {
  std::string text;
  int rank;  // the highest is left out first
};

}  // namespace

std::string render_bar(const ProgressView& view, int width, bool unicode) {
  constexpr size_t kGap = 2;
  constexpr size_t kShortestBar = 8;
  constexpr size_t kLongestBar = 40;
  constexpr int kBarRank = 4;
  const auto room = static_cast<size_t>(std::max(0, width));
  const size_t title_columns = std::min(terminal::display_width(view.title), room / 3);
  const std::string left = time_left(view);

  std::vector<Piece> pieces;
  pieces.push_back({terminal::truncate(text::printable(view.title), title_columns), 1});
  if (view.total != 0) {
    pieces.push_back({std::string(kShortestBar, '-'), kBarRank});
    pieces.push_back({fmt::format("{:3} %", percent(view)), 0});
  }
  pieces.push_back({counts(view), 6});
  pieces.push_back({rate(view), 5});
  pieces.push_back({clock_time(view.elapsed) + (left.empty() ? "" : " left " + left), 3});
  for (size_t i = 0; i < view.values.size(); ++i)
    pieces.push_back(
        {fmt::format("{} {}", view.values[i].first, text::human_number(view.values[i].second)),
         i == 0 ? 2 : 7});
  std::erase_if(pieces, [](const Piece& piece) { return piece.text.empty(); });

  const auto columns = [&] {
    size_t sum = 0;
    for (const Piece& piece : pieces) sum += terminal::display_width(piece.text) + kGap;
    return sum == 0 ? 0 : sum - kGap;
  };
  while (columns() > room && pieces.size() > 1) {
    // Of equally important ones the last goes first.
    const auto least =
        std::max_element(pieces.rbegin(), pieces.rend(),
                         [](const Piece& a, const Piece& b) { return a.rank < b.rank; });
    pieces.erase(std::next(least).base());
  }
  if (const auto it = std::find_if(pieces.begin(), pieces.end(),
                                   [](const Piece& piece) { return piece.rank == kBarRank; });
      it != pieces.end())
    it->text = bar(share(view), std::min(kLongestBar, kShortestBar + room - columns()), unicode);

  std::vector<std::string> texts;
  for (Piece& piece : pieces) texts.push_back(std::move(piece.text));
  return terminal::truncate(text::join(texts, "  "), room);
}

std::string render_line(const ProgressView& view) {
  std::vector<std::string> parts;
  std::string first = view.stopped ? "stopped at " + counts(view) : counts(view);
  if (view.total != 0 && (!view.finished || view.done != view.total))
    first += fmt::format(" ({} %)", percent(view));
  parts.push_back(std::move(first));
  if (const std::string text = rate(view); !text.empty()) parts.push_back(text);
  if (view.finished) {
    parts.push_back(text::human_duration(view.elapsed));
  } else {
    parts.push_back(clock_time(view.elapsed) + " elapsed");
    if (const std::string left = time_left(view); !left.empty()) parts.push_back(left + " left");
  }
  for (const auto& [name, value] : view.values)
    parts.push_back(name + " " + text::human_number(value));
  return text::printable(view.title + ": " + text::join(parts, ", "));
}

}  // namespace tenon
