// BMP: Windows bitmaps of 1, 4, 8, 24 or 32 bits a pixel, not compressed.
#include <array>
#include <vector>

#include "data/decoders/bytes.h"
#include "data/decoders/catalog.h"

namespace tenon::data {

namespace {

struct Header {
  ImageInfo info{"bmp", 0, 0, 3};
  bool top_down = false;
  uint32_t bits = 0, pixels_at = 0;
  std::vector<std::array<uint8_t, 3>> palette;
};

Header read_header(std::span<const std::byte> file) {
  Bytes bytes("bmp", file);
  Header header;
  bytes.go_to(10);
  header.pixels_at = bytes.u32();
  const uint32_t size = bytes.u32();
  const bool core = size == 12;  // OS/2's
  if (!core && size < 40) bytes.fail_damaged(fmt::format("its header has {} bytes", size));
  const auto number = [&] {
    return core ? static_cast<int64_t>(bytes.u16())
                : static_cast<int64_t>(static_cast<int32_t>(bytes.u32()));
  };
  header.info.width = number();
  const int64_t height = number();
  header.info.height = height < 0 ? -height : height;
  header.top_down = height < 0;
  bytes.u16();
  header.bits = bytes.u16();
  const uint32_t compression = core ? 0 : bytes.u32();
  uint32_t colours = 0;
  if (!core) {
    bytes.go_to(bytes.at() + 12);
    colours = bytes.u32();
  }
  bool plain = compression == 0;
  if (compression == 3 && header.bits == 32) {  // masks, accepted where they say BGR
    bytes.go_to(54);
    plain = bytes.u32() == 0xff0000 && bytes.u32() == 0xff00 && bytes.u32() == 0xff;
  }
  TENON_CHECK(plain && (header.bits == 1 || header.bits == 4 || header.bits == 8 ||
                        header.bits == 24 || header.bits == 32),
              data,
              "bmp: {} bits a pixel with compression {} are not supported; convert the file to PNG",
              header.bits, compression);
  if (header.bits > 8) return header;
  bytes.go_to(14 + static_cast<size_t>(size));
  const uint32_t most = 1U << header.bits;
  if (colours == 0 || colours > most) colours = most;
  for (uint32_t i = 0; i < colours; ++i) {
    const uint8_t blue = bytes.u8(), green = bytes.u8(), red = bytes.u8();
    if (!core) bytes.u8();
    header.palette.push_back({red, green, blue});
  }
  return header;
}

ImageInfo probe(std::span<const std::byte> bytes) { return read_header(bytes).info; }

Tensor decode(std::span<const std::byte> file, const DecodeOptions& options) {
  const Header header = read_header(file);
  check_size(header.info, options);
  const auto width = static_cast<size_t>(header.info.width);
  const auto height = static_cast<size_t>(header.info.height);
  const size_t stride = (width * header.bits + 31) / 32 * 4;
  Bytes bytes("bmp", file);
  bytes.go_to(header.pixels_at);
  const auto pixels = bytes.take(stride * height);
  Tensor image = Tensor::empty({header.info.height, header.info.width, 3}, DType::u8);
  for (size_t y = 0; y < height; ++y) {
    const auto* row = reinterpret_cast<const uint8_t*>(pixels.data()) + y * stride;
    uint8_t* out = image.data<uint8_t>() + (header.top_down ? y : height - 1 - y) * width * 3;
    for (size_t x = 0; x < width; ++x, out += 3) {
      if (header.bits > 8) {
        const uint8_t* bgr = row + x * (header.bits / 8);
        out[0] = bgr[2], out[1] = bgr[1], out[2] = bgr[0];
        continue;
      }
      const size_t per_byte = 8 / header.bits;
      const uint32_t shift = static_cast<uint32_t>(8 - header.bits * (x % per_byte + 1));
      const uint32_t index = row[x / per_byte] >> shift & ((1U << header.bits) - 1);
      if (index >= header.palette.size()) bytes.fail_damaged("a colour is not in its palette");
      for (size_t c = 0; c < 3; ++c) out[c] = header.palette[index][c];
    }
  }
  return with_channels(image, options.channels);
}

}  // namespace

constinit const ImageDecoder decoders::Bmp{"bmp", {"BM"}, probe, decode};

}  // namespace tenon::data
