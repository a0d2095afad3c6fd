#include "cli/tensor_difference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "formats/onnx/backend_tests.h"

namespace tenon::cli {

namespace {

double distance(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return std::isnan(a) && std::isnan(b) ? 0 : std::numeric_limits<double>::infinity();
  return a == b ? 0 : std::abs(a - b);  // infinities of one sign are equal
}

}  // namespace

Difference difference_of(const Tensor& got, const Tensor& expected, const Bounds& bounds) {
  Difference result;
  const bool numbers = got.defined() && expected.defined() && kNumeric.has(expected.dtype()) &&
                       got.dtype() == expected.dtype() && got.shape() == expected.shape();
  if (!numbers) {
    if (auto why = formats::difference(got, expected, {bounds.relative, bounds.absolute})) {
      result.within = false;
      result.why = *std::move(why);
    }
    return result;
  }
  const std::vector<double> a = got.to_vector<double>(), b = expected.to_vector<double>();
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isfinite(b[i])) largest = std::max(largest, std::abs(b[i]));
    const double apart = distance(a[i], b[i]);
    if (apart <= result.max_abs) continue;
    result.max_abs = apart;
    result.at = static_cast<int64_t>(i);
  }
  result.relative = largest > 0 ? result.max_abs / largest : result.max_abs;
  const double share = is_float(expected.dtype()) ? bounds.relative * largest : 0;
  result.within = result.max_abs <= bounds.absolute + share;
  return result;
}

}  // namespace tenon::cli
