// Drawings of a report, as SVG or HTML that needs nothing from outside.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "train/evaluate.h"

namespace tenon::train {

struct Line {
  std::string name;
  std::vector<std::pair<double, double>> points;
};
// Lines over a common axis, with grid, labels, a legend, and the values as tooltips of their
// points.
std::string line_chart(std::string_view title, std::string_view x_label, std::string_view y_label,
                       const std::vector<Line>& lines, bool percent);

// Rows are what items are, columns what the model says; cells tell counts and shares as tooltips.
std::string confusion_table(const Evaluation& evaluation, const std::vector<std::string>& names);

// What a data: address holds.
std::string base64(std::string_view bytes);

}  // namespace tenon::train
