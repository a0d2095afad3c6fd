// What many measurements of one thing say.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tenon::profile {

struct Summary {
  size_t count = 0;
  double median = 0, mean = 0;
  double min = 0, max = 0;
  double p10 = 0, p90 = 0, p99 = 0;

  // How far the middle 80 % lie apart, as a share of the median; 0 where that is 0.
  double spread() const { return median > 0 ? (p90 - p10) / median : 0; }
};

// `share` from 0 to 1, of values in ascending order; between two of them in proportion. 0 of none.
double percentile(std::span<const double> ascending, double share);

Summary summarize(std::vector<double> values);

}  // namespace tenon::profile
