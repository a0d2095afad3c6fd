#include "profile/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tenon::profile {

double percentile(std::span<const double> ascending, double share) {
  if (ascending.empty()) return 0;
  const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, ascending.size() - 1);
  const double part = place - static_cast<double>(below);
  return ascending[below] * (1 - part) + ascending[above] * part;
}

Summary summarize(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {.count = values.size(),
          .median = percentile(values, 0.5),
          .mean = std::accumulate(values.begin(), values.end(), 0.0) /
                  static_cast<double>(values.size()),
          .min = values.front(),
          .max = values.back(),
          .p10 = percentile(values, 0.1),
          .p90 = percentile(values, 0.9),
          .p99 = percentile(values, 0.99)};
}

}  // namespace tenon::profile
