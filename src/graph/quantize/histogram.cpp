#include "graph/quantize/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tenon::graph {

namespace {

// Of |x|, as the entropy method looks at it.
constexpr size_t kEntropyBins = 2048;

// The divergence of `reference` from what is left of its first `kept` bins in `levels` steps.
double divergence(std::span<const double> reference, size_t kept, size_t levels) {
  // What lies outside is clipped to the last bin.
  double outside = 0, inside = 0;
  for (size_t i = 0; i < reference.size(); ++i) (i < kept ? inside : outside) += reference[i];
  const double total = inside + outside;
  if (total == 0 || inside == 0) return total;
  double sum = 0, lost = 0;
  for (size_t level = 0; level < levels; ++level) {
    const size_t begin = level * kept / levels, end = (level + 1) * kept / levels;
    double mass = 0, filled = 0;
    for (size_t i = begin; i < end; ++i) {
      mass += reference[i];
      filled += reference[i] > 0 ? 1 : 0;
    }
    for (size_t i = begin; i < end; ++i) {
      const double p = reference[i] + (i + 1 == kept ? outside : 0);
      if (p <= 0) continue;
      const double q = reference[i] > 0 ? mass / filled : 0;
      if (q > 0)
        sum += p / total * std::log(p / total / (q / inside));
      else
        lost += p / total;
    }
  }
  // Mass that the steps have nothing for counts heavily.
  constexpr double kLost = 10;
  return sum + kLost * lost;
}

}  // namespace

void Histogram::widen(double to) {
  if (bins_.empty()) {
    bins_.assign(kBins, 0);
    reach_ = to;
    return;
  }
  while (reach_ < to) {
    std::vector<uint64_t> merged(kBins, 0);
    for (size_t i = 0; i < kBins; ++i) merged[kBins / 4 + i / 2] += bins_[i];
    bins_ = std::move(merged);
    reach_ *= 2;
  }
}

void Histogram::add(std::span<const float> values) {
  double low = 0, high = 0;
  for (float value : values) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, static_cast<double>(value));
    high = std::max(high, static_cast<double>(value));
  }
  low_ = std::min(low_, low);
  high_ = std::max(high_, high);
  const double most = std::max(-low, high);
  if (most > reach_) widen(most);
  for (float value : values) {
    if (!std::isfinite(value)) continue;
    ++count_;
    if (reach_ == 0) continue;  // nothing but zeros so far
    const double place = (static_cast<double>(value) + reach_) / bin_width();
    ++bins_[std::min(static_cast<size_t>(std::max(place, 0.0)), kBins - 1)];
  }
}

Range Histogram::range(Calibrator how, double percent, int steps) const {
  if (count_ == 0 || reach_ == 0) return {};
  switch (how) {
    case Calibrator::percentile: return percentile(percent);
    case Calibrator::entropy: return entropy(steps);
    case Calibrator::mse: return least_squares(steps);
    case Calibrator::min_max: break;
  }
  return extremes();
}

Range Histogram::percentile(double percent) const {
  uint64_t all = 0;
  for (uint64_t bin : bins_) all += bin;
  // What is left out is shared between the tails that there are.
  const double part = (100 - percent) / 100 / (low_ < 0 && high_ > 0 ? 2 : 1);
  const auto tail = static_cast<uint64_t>(static_cast<double>(all) * part);
  Range range = extremes();
  if (low_ < 0) {
    uint64_t sum = 0;
    for (size_t i = 0; i < kBins; ++i)
      if ((sum += bins_[i]) > tail) {
        range.low = std::max(range.low, static_cast<double>(i) * bin_width() - reach_);
        break;
      }
  }
  if (high_ > 0) {
    uint64_t sum = 0;
    for (size_t i = kBins; i-- > 0;)
      if ((sum += bins_[i]) > tail) {
        range.high = std::min(range.high, static_cast<double>(i + 1) * bin_width() - reach_);
        break;
      }
  }
  return {std::min(range.low, 0.0), std::max(range.high, 0.0)};
}

Range Histogram::entropy(int steps) const {
  std::vector<double> sizes(kEntropyBins, 0);
  const double most = std::max(-low_, high_);
  for (size_t i = 0; i < kBins; ++i) {
    const double place = std::abs(center(i)) / most * static_cast<double>(kEntropyBins);
    sizes[std::min(static_cast<size_t>(place), kEntropyBins - 1)] += static_cast<double>(bins_[i]);
  }
  sizes[0] = 0;  // exact zeros (after Relu) are kept by every range
  // Of a range on both sides of 0 each side has half the steps.
  const auto levels = static_cast<size_t>(low_ < 0 && high_ > 0 ? steps / 2 : steps);
  size_t best = kEntropyBins;
  double least = std::numeric_limits<double>::infinity();
  constexpr size_t kStride = 8;
  for (size_t kept = std::min(levels, kEntropyBins); kept <= kEntropyBins; kept += kStride) {
    const double found = divergence(sizes, kept, levels);
    if (found < least) {
      least = found;
      best = kept;
    }
  }
  const double limit = most * static_cast<double>(best) / static_cast<double>(kEntropyBins);
  return {std::max(low_, -limit), std::min(high_, limit)};
}

Range Histogram::least_squares(int steps) const {
  const auto error = [&](Range range) {
    const double step = (range.high - range.low) / (steps - 1);
    double sum = 0;
    for (size_t i = 0; i < kBins; ++i) {
      if (bins_[i] == 0) continue;
      const double x = center(i), clipped = std::clamp(x, range.low, range.high);
      // Within the range the error is spread evenly over a step.
      const double outside = x - clipped;
      sum += static_cast<double>(bins_[i]) * (outside * outside + step * step / 12);
    }
    return sum;
  };
  // One end after the other is drawn in as long as that helps.
  constexpr int kTries = 64;
  Range best = extremes();
  double least = error(best);
  for (int side = 0; side < 4; ++side)
    for (int i = 1; i < kTries; ++i) {
      const double part = static_cast<double>(i) / kTries;
      Range range = best;
      (side % 2 == 0 ? range.high : range.low) = (side % 2 == 0 ? high_ : low_) * part;
      if (!(range.high > range.low)) continue;
      if (const double found = error(range); found < least) {
        least = found;
        best = range;
      }
    }
  return best;
}

}  // namespace tenon::graph
