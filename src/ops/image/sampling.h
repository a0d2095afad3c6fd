// Reading an image between its pixels: GridSample's rules (those of PyTorch's grid_sample), for
// kernels as taps, and for gradients as operators. An image is [N, C, spatial...].
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "ops/infer.h"

namespace tenon::sampling {

struct Rules {
  enum class Mode : uint8_t { nearest, linear, cubic };
  enum class Padding : uint8_t { zeros, border, reflection };

  Mode mode = Mode::linear;
  Padding padding = Padding::zeros;
  bool align_corners = false;
  size_t rank = 2;  // spatial axes

  static Rules of(const Call& grid_sample, size_t rank);
  // Taps along one axis.
  int taps() const { return mode == Mode::nearest ? 1 : mode == Mode::linear ? 2 : 4; }
};

// Where normalised coordinate n, of -1 to 1, lies on an axis of `size` pixels.
template <class F>
F denormalized(F n, int64_t size, bool align_corners) {
  const auto length = static_cast<F>(size);
  return align_corners ? (n + 1) / 2 * (length - 1) : ((n + 1) * length - 1) / 2;
}

// Between the borders of an axis; where the position is no number, somewhere.
template <class F>
F reflected(F x, F low, F high) {
  const F span = high - low;
  if (!(span > 0) || !std::isfinite(x)) return low < 0 ? F{0} : low;
  const F distance = std::abs(x - low);
  const F turns = std::floor(distance / span);
  const F rest = distance - turns * span;
  return std::fmod(turns, F{2}) == 0 ? low + rest : high - rest;
}

// Keys' cubic convolution with a = -0.75: the weights of the pixels at -1, 0, 1 and 2 for a place
// `part` behind pixel 0.
template <class F>
std::array<F, 4> cubic_weights(F part) {
  const F a = F{-0.75};
  const auto near = [&](F x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  const auto far = [&](F x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  return {far(part + 1), near(part), near(1 - part), far(2 - part)};
}

// The pixels along one axis that a position mixes; -1 for one that counts as 0.
template <class F>
struct AxisTaps {
  std::array<int64_t, 4> place;
  std::array<F, 4> weight;
};

template <class F>
AxisTaps<F> axis_taps(const Rules& rules, F normalized, int64_t size) {
  F x = denormalized(normalized, size, rules.align_corners);
  if (rules.mode == Rules::Mode::nearest) x = std::nearbyint(x);
  const F last = static_cast<F>(size - 1);
  const F low = rules.align_corners ? F{0} : F{-0.5}, high = last - low;
  const auto between = [&](F at) { return at < 0 ? F{0} : at > last ? last : at; };
  if (!(x >= low && x <= high)) {
    if (rules.padding == Rules::Padding::border) x = std::isnan(x) ? F{0} : between(x);
    if (rules.padding == Rules::Padding::reflection) x = reflected(x, low, high);
  }
  const F base = std::floor(x);
  AxisTaps<F> taps{};
  int first = 0;
  if (rules.mode == Rules::Mode::nearest) {
    taps.weight[0] = 1;
  } else if (rules.mode == Rules::Mode::linear) {
    taps.weight = {1 - (x - base), x - base, 0, 0};
  } else {
    taps.weight = cubic_weights(x - base);
    first = -1;
  }
  for (int k = 0; k < rules.taps(); ++k) {
    F place = base + static_cast<F>(first + k);
    const auto at = static_cast<size_t>(k);
    if (rules.padding == Rules::Padding::zeros) {
      taps.place[at] = place >= 0 && place <= last ? static_cast<int64_t>(place) : -1;
      continue;
    }
    if (rules.padding == Rules::Padding::reflection && (place < low || place > high))
      place = reflected(place, low, high);
    taps.place[at] = static_cast<int64_t>(between(place));
  }
  return taps;
}

// The elements of one image plane that a point mixes, at most 64; `grid` holds its coordinates, of
// the last axis first.
template <class F>
struct PointTaps {
  int count = 0;
  std::array<int64_t, 64> element;
  std::array<F, 64> weight;

  PointTaps(const Rules& rules, const F* grid, const Shape& plane) {
    std::array<AxisTaps<F>, 3> axes;
    for (size_t a = 0; a < rules.rank; ++a)
      axes[a] = axis_taps(rules, grid[rules.rank - 1 - a], plane[a]);
    add(rules, axes, plane, 0, 0, 1);
  }

 private:
  void add(const Rules& rules, const std::array<AxisTaps<F>, 3>& axes, const Shape& plane,
           size_t axis, int64_t place, F product) {
    if (axis == rules.rank) {
      element[static_cast<size_t>(count)] = place;
      weight[static_cast<size_t>(count++)] = product;
      return;
    }
    for (size_t k = 0; k < static_cast<size_t>(rules.taps()); ++k)
      if (axes[axis].place[k] >= 0)
        add(rules, axes, plane, axis + 1, place * plane[axis] + axes[axis].place[k],
            product * axes[axis].weight[k]);
  }
};

// The size of an axis as an i64 of rank 0.
Tensor size_of_axis(const Tensor& x, size_t axis);
// As above in operators: `at` has the positions along each spatial axis of x in pixels, [N, Q]
// each; the result is [N, C, Q] of x's type.
Tensor interpolate(const Rules& rules, const Tensor& x, const TensorList& at);
// denormalized() of a tensor of coordinates.
Tensor denormalized(const Tensor& n, const Tensor& x, size_t axis, bool align_corners);

}  // namespace tenon::sampling
