// What transforms of pixels share: the sizes of images along a leading axis, and the fields to
// change.
#pragma once

#include <string_view>

#include "base/error.h"
#include "data/transform.h"

namespace tenon::data {

inline constexpr Roles kRasters(Role::image, Role::mask);

struct Raster {
  int64_t count = 0, height = 0, width = 0, channels = 1;

  int64_t pixels() const { return height * width; }
  int64_t numel() const { return count * height * width * channels; }
};

// Of [n, height, width] or [n, height, width, channels].
inline Raster raster_of(const Tensor& batch) {
  const Shape& shape = batch.shape();
  return {shape[0], shape[1], shape[2], shape.rank() == 4 ? shape[3] : 1};
}

// The same kind of tensor with other sizes of the image.
inline Tensor empty_like(const Tensor& batch, int64_t height, int64_t width) {
  Shape shape = batch.shape();
  shape[1] = height;
  shape[2] = width;
  return Tensor::empty(shape, batch.dtype());
}

// `in` with `change(field)` done to each field of these roles; fails where there is no image.
template <class Change>
Schema changed(std::string_view transform, const Schema& in, Roles roles, Change change) {
  Schema out = in;
  bool any = false;
  for (Field& field : out) {
    if (!roles.has(field.role)) continue;
    any = any || field.role == Role::image;
    TENON_CHECK(
        field.role != Role::image || ((field.type == DType::u8 || field.type == DType::f32) &&
                                      (field.shape.rank() == 2 || field.shape.rank() == 3)),
        usage,
        "{}: {} is no image; images are u8 or f32, [height, width] or [height, width, channels]",
        transform, field.str());
    change(field);
  }
  TENON_CHECK(any, usage,
              "{}: no field of the source ({}) is an image; normalize and batch end that, so put "
              "them after {}",
              transform, in.str(), transform);
  return out;
}

}  // namespace tenon::data
