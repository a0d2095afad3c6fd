// What the inner loops of convolutions do to results before they store them.
#pragma once

namespace tenon::cpu {

// Below 0 times `slope`, then at least `low`, then at most `high`, each where it is on. NaN stays
// NaN.
struct ConvClamp {
  bool leaky = false, at_least = false, at_most = false;
  float slope = 0, low = 0, high = 0;

  float operator()(float v) const {
    if (leaky && v < 0) v *= slope;
    if (at_least && v < low) v = low;
    if (at_most && v > high) v = high;
    return v;
  }
};

}  // namespace tenon::cpu
