// Chooses the decoder by the first bytes, and checks what all formats share.
#include "data/image.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "data/decoders/catalog.h"

namespace tenon::data {

namespace {

bool begins_with(std::span<const std::byte> bytes, std::string_view magic) {
  if (magic.empty() || bytes.size() < magic.size()) return false;
  for (size_t i = 0; i < magic.size(); ++i)
    if (magic[i] != '?' && static_cast<char>(bytes[i]) != magic[i]) return false;
  return true;
}

std::string names() {
  std::string list;
  for (const ImageDecoder* decoder : decoders::all())
    list += fmt::format("{}{}", list.empty() ? "" : ", ", decoder->name);
  return list;
}

const ImageDecoder& decoder_of(std::span<const std::byte> bytes) {
  for (const ImageDecoder* decoder : decoders::all())
    for (const std::string_view magic : decoder->magic)
      if (begins_with(bytes, magic)) return *decoder;
  TENON_CHECK(!bytes.empty(), data, "image: the file is empty; fetch it again");
  const auto* first = reinterpret_cast<const uint8_t*>(bytes.data());
  fail(ErrorKind::data,
       "image: the file starts with {:02x}, which is no format Tenon reads; convert it to one "
       "of {}",
       fmt::join(first, first + std::min<size_t>(bytes.size(), 4), " "), names());
}

}  // namespace

ImageInfo probe_image(std::span<const std::byte> bytes) { return decoder_of(bytes).probe(bytes); }

Tensor decode_image(std::span<const std::byte> bytes, const DecodeOptions& options) {
  TENON_CHECK(options.channels == 0 || options.channels == 1 || options.channels == 3, usage,
              "image: {} channels cannot be decoded to; use 1 (grey), 3 (RGB) or 0 (as stored)",
              options.channels);
  const ImageDecoder& decoder = decoder_of(bytes);
  return decoder.decode(bytes, options);
}

void rgb_to_grey(const uint8_t* rgb, uint8_t* grey, int64_t pixels) {
  for (int64_t i = 0; i < pixels; ++i) {
    const uint32_t red = rgb[3 * i];
    const uint32_t green = rgb[3 * i + 1];
    const uint32_t blue = rgb[3 * i + 2];
    // 0.299, 0.587 and 0.114 in 16.16 fixed point, rounded: libjpeg's own constants.
    grey[i] = static_cast<uint8_t>((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16);
  }
}

}  // namespace tenon::data
