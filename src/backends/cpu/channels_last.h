// An image [N, C, spatial...] as channels-last bytes, whatever strides it comes with.
#pragma once

#include <memory>

#include "backends/cpu/onednn.h"
#include "tensor/strided_copy.h"

namespace tenon::cpu {

class ChannelsLastBytes {
 public:
  ChannelsLastBytes() = default;
  explicit ChannelsLastBytes(const TensorSpec& x) {
    const Shape last = channels_last(x.shape);
    bool dense = true;
    for (size_t axis = 0; axis < x.rank(); ++axis)
      dense = dense && (x.shape[axis] == 1 || x.strides[axis] == last[axis]);
    if (dense) return;
    reorder_ = std::make_unique<const StridedCopy>(x.shape, x.dtype, x.strides, x.dtype, last);
    scratch_bytes_ = (static_cast<size_t>(x.numel()) + 63) / 64 * 64;
  }

  // What at() needs at the beginning of the scratch; a multiple of 64.
  size_t scratch_bytes() const { return scratch_bytes_; }
  const std::byte* at(const void* x, void* scratch) const {
    if (!reorder_) return static_cast<const std::byte*>(x);
    reorder_->run(x, scratch);
    return static_cast<const std::byte*>(scratch);
  }

 private:
  std::unique_ptr<const StridedCopy> reorder_;
  size_t scratch_bytes_ = 0;
};

}  // namespace tenon::cpu
