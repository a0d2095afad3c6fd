// Regions of interest: where RoiAlign and MaxRoiPool read, and what their operators share.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "ops/grad.h"
#include "ops/infer.h"

namespace tenon::roi {

// [rois, channels of input `x`, height, width]; checks x, rois (of `columns` numbers each) and,
// where `batch` is given, the input that says which image each region lies in.
Dims output(const InferContext& ctx, const Dims& x, size_t rois, int64_t columns, size_t batch,
            int64_t height, int64_t width);
inline constexpr size_t kNone = SIZE_MAX;

// Fails unless `index` names one of the images.
int64_t checked_image(std::string_view op, double index, int64_t images);

// dX of an operator that copies single elements of X, times a weight, to its output.
Tensor put_back(const GradContext& ctx, const Tensor& dy, const Tensor& places,
                const Tensor& weights);

// -- RoiAlign ---------------------------------------------------------------------------------

// Four pixels around a point of the image, elements of one plane, and their bilinear weights.
template <class F>
struct Corners {
  std::array<int64_t, 4> element{};
  std::array<F, 4> weight{};

  Corners(F y, F x, int64_t height, int64_t width) {
    if (!(y >= -1 && y <= static_cast<F>(height) && x >= -1 && x <= static_cast<F>(width))) return;
    const auto [top, bottom, down] = split(y, height);
    const auto [left, right, along] = split(x, width);
    element = {top * width + left, top * width + right, bottom * width + left,
               bottom * width + right};
    weight = {(1 - down) * (1 - along), (1 - down) * along, down * (1 - along), down * along};
  }

 private:
  struct Between {
    int64_t low, high;
    F part;
  };
  static Between split(F at, int64_t size) {
    at = std::max(at, F{0});
    const auto low = static_cast<int64_t>(at);
    if (low >= size - 1) return {size - 1, size - 1, 0};
    return {low, low + 1, at - static_cast<F>(low)};
  }
};

struct Align {
  int64_t height, width, sampling_ratio;  // of the output
  double scale;
  bool half_pixel, max;

  static Align of(const Call& roi_align);

  // The points of one bin are a lattice of so many rows and columns.
  template <class F>
  struct Region {
    F y, x, bin_height, bin_width;
    int64_t rows, columns;

    int64_t points() const { return rows * columns; }
    Corners<F> corners(int64_t bin_y, int64_t bin_x, int64_t point, int64_t image_height,
                       int64_t image_width) const {
      const auto part = [](int64_t k, int64_t count) {
        return (static_cast<F>(k) + F{0.5}) / static_cast<F>(count);
      };
      return Corners<F>(y + (static_cast<F>(bin_y) + part(point / columns, rows)) * bin_height,
                        x + (static_cast<F>(bin_x) + part(point % columns, columns)) * bin_width,
                        image_height, image_width);
    }
  };
  // Of a region given as x1, y1, x2, y2.
  template <class F>
  Region<F> region(std::string_view op, const F* roi) const {
    const F factor = static_cast<F>(scale), shift = half_pixel ? F{0.5} : F{0};
    const F x = roi[0] * factor - shift, y = roi[1] * factor - shift;
    F across = roi[2] * factor - shift - x, down = roi[3] * factor - shift - y;
    if (!half_pixel) across = std::max(across, F{1}), down = std::max(down, F{1});
    Region<F> region{y, x, down / static_cast<F>(height), across / static_cast<F>(width), 0, 0};
    region.rows = lattice(op, region.bin_height);
    region.columns = lattice(op, region.bin_width);
    const double points = static_cast<double>(region.rows) * static_cast<double>(region.columns) *
                          static_cast<double>(height) * static_cast<double>(width);
    TENON_CHECK(points <= kMostPoints, usage,
                "{}: a region would be read at {} points; use a smaller sampling_ratio or output",
                op, points);
    return region;
  }

 private:
  static constexpr double kMostRows = 1 << 14, kMostPoints = 1 << 24;

  template <class F>
  int64_t lattice(std::string_view op, F bin) const {
    if (sampling_ratio > 0) return sampling_ratio;
    TENON_CHECK(std::isfinite(bin) && static_cast<double>(bin) <= kMostRows, usage,
                "{}: a bin of a region spans {} pixels; use sampling_ratio or smaller regions", op,
                static_cast<double>(bin));
    return std::max<int64_t>(0, static_cast<int64_t>(std::ceil(bin)));
  }
};

}  // namespace tenon::roi
