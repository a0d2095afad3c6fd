// WebP through libwebp.
#include <webp/decode.h>

#include "data/decoders/bytes.h"
#include "data/decoders/catalog.h"

namespace tenon::data {

namespace {

const uint8_t* begin_of(std::span<const std::byte> bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}

ImageInfo probe(std::span<const std::byte> bytes) {
  int width = 0, height = 0;
  TENON_CHECK(WebPGetInfo(begin_of(bytes), bytes.size(), &width, &height), data,
              "webp: the header is damaged; fetch the file again or leave it out");
  return {"webp", height, width, 3};
}

Tensor decode(std::span<const std::byte> bytes, const DecodeOptions& options) {
  const ImageInfo info = probe(bytes);
  check_size(info, options);
  Tensor image = Tensor::empty({info.height, info.width, 3}, DType::u8);
  TENON_CHECK(WebPDecodeRGBInto(begin_of(bytes), bytes.size(), image.data<uint8_t>(), image.bytes(),
                                static_cast<int>(info.width * 3)),
              data, "webp: the picture is damaged; fetch the file again or leave it out");
  return with_channels(image, options.channels);
}

}  // namespace

constinit const ImageDecoder decoders::Webp{"webp", {"RIFF????WEBP"}, probe, decode};

}  // namespace tenon::data
