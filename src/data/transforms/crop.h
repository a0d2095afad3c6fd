// Cutting a window out of images, for the transforms that choose where.
#pragma once

#include <span>

#include "data/transforms/raster.h"

namespace tenon::data {

struct Corner {
  int64_t top = 0, left = 0;  // may lie outside the image, which is zero there
};

// The window of height x width at corners[i] of image i.
Tensor cut(const Tensor& batch, std::span<const Corner> corners, int64_t height, int64_t width);

// The schema after a crop; fails where a known size is too small for it.
Schema cropped(std::string_view transform, const Schema& in, int64_t height, int64_t width,
               int64_t padding);

// The size of the images of `batch`, which all fields to be cropped share; fails where a window of
// height x width does not fit into one with `padding` around it.
Raster croppable(std::string_view transform, const Schema& in, const Sample& batch, int64_t height,
                 int64_t width, int64_t padding);

}  // namespace tenon::data
