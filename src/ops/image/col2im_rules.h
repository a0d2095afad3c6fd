// Where the elements of Col2Im's columns lie in the image.
#pragma once

#include <vector>

#include "ops/nn/windows.h"

namespace tenon {

// For each element of a block, and for each block: an element of an image plane, or the plane's
// size for one in the padding.
inline std::vector<int64_t> col2im_places(const Windows& windows) {
  const Shape sizes = windows.input;
  const int64_t elements = windows.kernel.numel(), blocks = windows.output.numel();
  std::vector<int64_t> places;
  places.reserve(static_cast<size_t>(elements * blocks));
  for (int64_t element = 0; element < elements; ++element)
    for (int64_t block = 0; block < blocks; ++block) {
      int64_t place = 0, stride = 1, in_block = element, in_blocks = block;
      bool inside = true;
      for (size_t axis = windows.rank(); axis-- > 0;) {
        const int64_t at = windows.start(axis, in_blocks % windows.output[axis]) +
                           in_block % windows.kernel[axis] * windows.dilations[axis];
        inside = inside && at >= 0 && at < sizes[axis];
        place += at * stride;
        stride *= sizes[axis];
        in_block /= windows.kernel[axis];
        in_blocks /= windows.output[axis];
      }
      places.push_back(inside ? place : sizes.numel());
    }
  return places;
}

}  // namespace tenon
