// Windows of images, with zeros where they stick out.
#include "data/transforms/crop.h"

#include <algorithm>
#include <cstring>

namespace tenon::data {

namespace {

void check_fits(std::string_view transform, const std::string& field, int64_t has_height,
                int64_t has_width, int64_t height, int64_t width, int64_t padding) {
  const bool fits = (has_height == kVaries || has_height + 2 * padding >= height) &&
                    (has_width == kVaries || has_width + 2 * padding >= width);
  TENON_CHECK(fits, usage,
              "{}: {} x {} does not fit into '{}', {} x {} with padding {}; resize first, or pad",
              transform, height, width, field, has_height, has_width, padding);
}

}  // namespace

Tensor cut(const Tensor& batch, std::span<const Corner> corners, int64_t height, int64_t width) {
  const Tensor x = batch.contiguous();
  const Raster raster = raster_of(x);
  Tensor y = empty_like(x, height, width);
  const auto pixel = raster.channels * static_cast<int64_t>(size_of(x.dtype()));
  for (int64_t n = 0; n < raster.count; ++n) {
    const auto [top, left] = corners[static_cast<size_t>(n)];
    const int64_t first =
        std::clamp<int64_t>(-left, 0, width);  // columns of the window inside the image
    const int64_t end = std::clamp<int64_t>(raster.width - left, first, width);
    for (int64_t row = 0; row < height; ++row) {
      auto* to = static_cast<std::byte*>(y.raw()) + (n * height + row) * width * pixel;
      const int64_t from_row = top + row;
      if (from_row < 0 || from_row >= raster.height) {
        std::memset(to, 0, static_cast<size_t>(width * pixel));
        continue;
      }
      const auto* from = static_cast<const std::byte*>(x.raw()) +
                         ((n * raster.height + from_row) * raster.width + left + first) * pixel;
      std::memset(to, 0, static_cast<size_t>(first * pixel));
      std::memcpy(to + first * pixel, from, static_cast<size_t>((end - first) * pixel));
      std::memset(to + end * pixel, 0, static_cast<size_t>((width - end) * pixel));
    }
  }
  return y;
}

Schema cropped(std::string_view transform, const Schema& in, int64_t height, int64_t width,
               int64_t padding) {
  TENON_CHECK(height > 0 && width > 0 && padding >= 0, usage,
              "{}: size {} x {} with padding {} is none; sizes are positive, padding is 0 or more",
              transform, height, width, padding);
  return changed(transform, in, kRasters, [&](Field& field) {
    check_fits(transform, field.name, field.shape[0], field.shape[1], height, width, padding);
    field.shape[0] = height;
    field.shape[1] = width;
  });
}

Raster croppable(std::string_view transform, const Schema& in, const Sample& batch, int64_t height,
                 int64_t width, int64_t padding) {
  Raster first;
  for (const Field& field : in) {
    if (!kRasters.has(field.role)) continue;
    const Raster raster = raster_of(batch[field.name]);
    if (first.count == 0) first = raster;
    TENON_CHECK(raster.height == first.height && raster.width == first.width, data,
                "{}: '{}' is {} x {} but the image {} x {}; masks have the size of their image",
                transform, field.name, raster.height, raster.width, first.height, first.width);
    check_fits(transform, field.name, raster.height, raster.width, height, width, padding);
  }
  return first;
}

}  // namespace tenon::data
