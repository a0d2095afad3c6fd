// Tables of text.
#include "base/table.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "base/error.h"

namespace tenon {

namespace {

constexpr size_t kGap = 2;        // between columns
constexpr size_t kNarrowest = 8;  // no column is shortened below this

std::string one_line(std::string cell) {
  std::replace(cell.begin(), cell.end(), '\n', ' ');
  return cell;
}

}  // namespace

Table::Table(std::vector<std::string> header)
    : header_(std::move(header)),
      aligns_(header_.size(), terminal::Align::left),
      shrink_(header_.empty() ? 0 : header_.size() - 1) {
  TENON_BUG_IF(header_.empty(), "a table without columns");
}

Table& Table::align(size_t column, terminal::Align align) {
  TENON_BUG_IF(column >= header_.size(), "align: no column {} of {}", column, header_.size());
  aligns_[column] = align;
  return *this;
}

Table& Table::shrink(size_t column) {
  TENON_BUG_IF(column >= header_.size(), "shrink: no column {} of {}", column, header_.size());
  shrink_ = column;
  return *this;
}

Table& Table::row(std::vector<std::string> cells) {
  TENON_BUG_IF(cells.size() > header_.size(), "a row of {} cells in a table of {} columns",
               cells.size(), header_.size());
  cells.resize(header_.size());
  for (std::string& cell : cells) cell = one_line(std::move(cell));
  rows_.push_back(std::move(cells));
  return *this;
}

Table& Table::rule() {
  rows_.emplace_back();
  return *this;
}

std::vector<size_t> Table::column_widths(int limit) const {
  std::vector<size_t> widths;
  for (const std::string& cell : header_) widths.push_back(terminal::display_width(cell));
  for (const std::vector<std::string>& cells : rows_)
    for (size_t i = 0; i < cells.size(); ++i)
      widths[i] = std::max(widths[i], terminal::display_width(cells[i]));
  if (limit <= 0) return widths;

  const size_t gaps = kGap * (widths.size() - 1);
  size_t total = std::accumulate(widths.begin(), widths.end(), gaps);
  const auto shorten = [&](size_t& width) {
    const size_t too_much = total - static_cast<size_t>(limit);
    const size_t cut = std::min(too_much, width > kNarrowest ? width - kNarrowest : 0);
    width -= cut;
    total -= cut;
    return cut > 0;
  };
  if (total > static_cast<size_t>(limit)) shorten(widths[shrink_]);
  while (total > static_cast<size_t>(limit))
    if (!shorten(*std::max_element(widths.begin(), widths.end()))) break;
  return widths;
}

std::string Table::str(const Look& look) const {
  const std::vector<size_t> widths = column_widths(look.width);
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells, bool bold) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) line.append(kGap, ' ');
      line += terminal::pad(terminal::truncate(cells[i], widths[i]), widths[i], aligns_[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += bold ? "\x1b[1m" + line + "\x1b[0m" : line;
    out += '\n';
  };
  const auto add_rule = [&] {
    std::vector<std::string> cells;
    for (size_t width : widths) {
      std::string cell;
      for (size_t i = 0; i < width; ++i) cell += look.unicode ? "─" : "-";
      cells.push_back(std::move(cell));
    }
    add_line(cells, false);
  };
  add_line(header_, look.colors);
  add_rule();
  for (const std::vector<std::string>& cells : rows_)
    if (cells.empty())
      add_rule();
    else
      add_line(cells, false);
  return out;
}

void Table::print() const {
  const bool tty = terminal::is_tty(terminal::kStdout);
  const std::string text = str({.unicode = tty && terminal::unicode(),
                                .colors = terminal::colors(terminal::kStdout),
                                .width = tty ? terminal::width(terminal::kStdout) : 0});
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace tenon
