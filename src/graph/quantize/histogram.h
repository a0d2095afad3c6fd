// The distribution of a value over many samples, in constant memory, and the range that 8 bits
// should cover.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tenon::graph {

enum class Calibrator : uint8_t {
  min_max,     // everything seen
  percentile,  // all but the outermost few
  entropy,  // the range that loses least information: Migacz, 8-bit inference with TensorRT, 2017
  mse,      // the range of the least mean square error
};

struct Range {
  double low = 0, high = 0;  // 0 is always within
};

// kBins bins from -reach to reach; when a number lies outside, reach doubles and neighbours merge.
class Histogram {
 public:
  static constexpr size_t kBins = 8192;

  // Numbers that are not finite are left out.
  void add(std::span<const float> values);

  uint64_t count() const { return count_; }
  // The smallest and the largest number so far; 0 is between them.
  Range extremes() const { return {low_, high_}; }
  // `percentile` is that of Calibrator::percentile, of 100; `steps` how many the quantised type has
  // (256).
  Range range(Calibrator how, double percentile, int steps) const;

 private:
  double bin_width() const { return 2 * reach_ / static_cast<double>(kBins); }
  double center(size_t bin) const {
    return (static_cast<double>(bin) + 0.5) * bin_width() - reach_;
  }
  void widen(double to);
  Range percentile(double percent) const;
  Range entropy(int steps) const;
  Range least_squares(int steps) const;

  double reach_ = 0, low_ = 0, high_ = 0;
  uint64_t count_ = 0;
  std::vector<uint64_t> bins_;
};

}  // namespace tenon::graph
