// A table of text with aligned columns, for what verbs print.
//
//   Table table({"op", "time", "share"});
//   table.align(1, terminal::Align::right);
//   table.row({"Conv", "1.25 ms", "81 %"});
//   table.print();
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/terminal.h"

namespace tenon {

class Table {
 public:
  explicit Table(std::vector<std::string> header);

  Table& align(size_t column, terminal::Align align);
  // Shortened first when the terminal is too narrow; by default the last column is.
  Table& shrink(size_t column);
  // As many cells as the header has; missing ones are empty. Newlines in cells become spaces.
  Table& row(std::vector<std::string> cells);
  // A rule between the rows before and after it.
  Table& rule();
  size_t rows() const { return rows_.size(); }

  struct Look {
    bool unicode = false;  // rules drawn with box characters
    bool colors = false;   // bold header
    int width = 0;         // columns to fit into; 0: as wide as needed
  };
  // Two spaces between columns, no spaces at the end of lines, a newline after each line.
  std::string str(const Look& look) const;
  std::string str() const { return str(Look{}); }
  // To standard output: dressed and fitted on a terminal, plain and complete elsewhere.
  void print() const;

 private:
  std::vector<size_t> column_widths(int limit) const;

  std::vector<std::string> header_;
  std::vector<terminal::Align> aligns_;
  size_t shrink_;
  std::vector<std::vector<std::string>> rows_;  // an empty row is a rule
};

}  // namespace tenon
