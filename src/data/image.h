// Images between bytes and tensors: u8, [height, width, channels], rows from the top, RGB order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace tenon::data {

struct ImageInfo {
  std::string_view format;  // "jpeg", "png", ...
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;  // 1 or 3: what decoding gives when no number of channels is asked for
};

struct DecodeOptions {
  int channels = 0;                  // 1 grey, 3 RGB, 0 as stored; alpha is dropped, not blended
  int64_t max_pixels = 100'000'000;  // larger images are refused before memory is taken
};

// One format; the catalogue src/data/decoders holds them, one file each.
struct ImageDecoder {
  std::string_view name;
  // The first bytes of every file of the format: one of these; a '?' is any byte.
  std::array<std::string_view, 6> magic;
  ImageInfo (*probe)(std::span<const std::byte> bytes);
  Tensor (*decode)(std::span<const std::byte> bytes, const DecodeOptions& options);
};

// What the first bytes say; they decide, not the name of the file. Fails (data) on formats that are
// not known, and on a broken header.
ImageInfo probe_image(std::span<const std::byte> bytes);
// Decodes a JPEG (grey, colour, CMYK), PNG (any depth, reduced to 8 bits), BMP, PNM, and where
// their libraries were there to build with WebP, TIFF and JPEG 2000, of any origin: a damaged or
// truncated file is an error (data), a picture of more than max_pixels too.
Tensor decode_image(std::span<const std::byte> bytes, const DecodeOptions& options = {});

// The PNG file of a u8 image: [height, width] or [height, width, 1, 3 or 4].
std::string encode_png(const Tensor& image);

// ITU-R BT.601 luma of `pixels` RGB triples, as JPEG defines grey.
void rgb_to_grey(const uint8_t* rgb, uint8_t* grey, int64_t pixels);

}  // namespace tenon::data
