// The checks on a size that an image header claims, before memory is taken for it.
#pragma once

#include <string_view>

#include "base/error.h"
#include "data/image.h"

namespace tenon::data {

inline void check_size(const ImageInfo& info, const DecodeOptions& options) {
  TENON_CHECK(info.width > 0 && info.height > 0, data,
              "{}: the header says {} x {} pixels; the file is damaged", info.format, info.width,
              info.height);
  TENON_CHECK(
      info.width <= options.max_pixels / info.height, data,
      "{}: {} x {} pixels are more than the limit of {}; raise max_pixels if the file is trusted",
      info.format, info.width, info.height, options.max_pixels);
}

}  // namespace tenon::data
