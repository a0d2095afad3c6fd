// Reading numbers from a file's bytes, and the last step that hand-written decoders share.
#pragma once

#include "data/decoders/checked_size.h"

namespace tenon::data {

// Bytes from the front to the back; past the end is an error (data).
class Bytes {
 public:
  Bytes(std::string_view format, std::span<const std::byte> bytes)
      : format_(format), bytes_(bytes) {}

  size_t at() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }
  void go_to(size_t at) {
    need(at <= bytes_.size());
    at_ = at;
  }
  uint8_t u8() {
    need(left() >= 1);
    return static_cast<uint8_t>(bytes_[at_++]);
  }
  // Little-endian.
  uint32_t u16() {
    const uint32_t low = u8();
    return low | static_cast<uint32_t>(u8()) << 8;
  }
  uint32_t u32() {
    const uint32_t low = u16();
    return low | u16() << 16;
  }
  std::span<const std::byte> take(size_t count) {
    need(left() >= count);
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }
  [[noreturn]] void fail_damaged(std::string_view what) const {
    fail(ErrorKind::data, "{}: {}; fetch the file again or leave it out", format_, what);
  }

 private:
  void need(bool there) const {
    if (!there) fail_damaged("the file ends before the picture does");
  }

  std::string_view format_;
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
};

// A decoded image of 1 or 3 channels with as many as were asked for (0: as they are).
inline Tensor with_channels(const Tensor& image, int channels) {
  const Shape& shape = image.shape();
  if (channels == 0 || channels == shape[2]) return image;
  if (channels == 3) return image.expand({shape[0], shape[1], 3}).contiguous();
  Tensor grey = Tensor::empty({shape[0], shape[1], 1}, DType::u8);
  rgb_to_grey(image.data<uint8_t>(), grey.data<uint8_t>(), shape[0] * shape[1]);
  return grey;
}

}  // namespace tenon::data
