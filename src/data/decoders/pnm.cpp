// PNM: portable bitmaps, greymaps and pixmaps (P1 to P6), as text or binary.
#include "data/decoders/bytes.h"
#include "data/decoders/catalog.h"

namespace tenon::data {

namespace {

struct Header {
  ImageInfo info{"pnm", 0, 0, 1};
  bool text = false, bitmap = false;
  uint32_t most = 1;  // the value of full brightness
};

bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// A number, after white space and comments; the byte behind it is read too.
uint32_t read_number(Bytes& bytes) {
  uint8_t c = bytes.u8();
  while (is_space(c) || c == '#') {
    if (c == '#')
      while (c != '\n') c = bytes.u8();
    c = bytes.u8();
  }
  if (c < '0' || c > '9') bytes.fail_damaged("it has no number where one must be");
  uint32_t number = 0;
  for (;;) {
    number = number * 10 + (c - '0');
    if (number > 100'000'000) bytes.fail_damaged("a number in it is far too large");
    if (bytes.left() == 0) return number;
    c = bytes.u8();
    if (c < '0' || c > '9') return number;
  }
}

Header read_header(Bytes& bytes) {
  bytes.u8();
  const int kind = bytes.u8() - '0';
  Header header;
  header.text = kind <= 3;
  header.bitmap = kind == 1 || kind == 4;
  header.info.channels = kind == 3 || kind == 6 ? 3 : 1;
  header.info.width = read_number(bytes);
  header.info.height = read_number(bytes);
  if (!header.bitmap) header.most = read_number(bytes);
  if (header.most < 1 || header.most > 65535)
    bytes.fail_damaged(fmt::format("its brightest value is {}", header.most));
  return header;
}

ImageInfo probe(std::span<const std::byte> file) {
  Bytes bytes("pnm", file);
  return read_header(bytes).info;
}

// A bit of text needs no space behind it.
uint32_t read_bit(Bytes& bytes) {
  uint8_t c = bytes.u8();
  while (is_space(c)) c = bytes.u8();
  if (c != '0' && c != '1') bytes.fail_damaged("a bit of it is neither 0 nor 1");
  return c - '0';
}

Tensor decode(std::span<const std::byte> file, const DecodeOptions& options) {
  Bytes bytes("pnm", file);
  const Header header = read_header(bytes);
  check_size(header.info, options);
  const int64_t row = header.info.width * header.info.channels;
  const int64_t least = header.bitmap && !header.text ? (row + 7) / 8 : row;
  if (bytes.left() < static_cast<size_t>(least * header.info.height))
    bytes.fail_damaged("the file ends before the picture does");
  Tensor image =
      Tensor::empty({header.info.height, header.info.width, header.info.channels}, DType::u8);
  uint8_t* out = image.data<uint8_t>();
  for (int64_t y = 0; y < header.info.height; ++y) {
    uint8_t packed = 0;
    for (int64_t x = 0; x < row; ++x) {
      uint32_t value;
      if (header.bitmap && !header.text) {
        if (x % 8 == 0) packed = bytes.u8();
        value = packed >> (7 - x % 8) & 1U;
      } else if (header.bitmap) {
        value = read_bit(bytes);
      } else if (header.text) {
        value = read_number(bytes);
      } else {
        value = bytes.u8();
        if (header.most > 255) value = value << 8 | bytes.u8();
      }
      if (header.bitmap) value = 1 - value;  // 1 is black
      *out++ = static_cast<uint8_t>((std::min(value, header.most) * 255 + header.most / 2) /
                                    header.most);
    }
  }
  return with_channels(image, options.channels);
}

}  // namespace

constinit const ImageDecoder decoders::Pnm{
    "pnm", {"P1", "P2", "P3", "P4", "P5", "P6"}, probe, decode};

}  // namespace tenon::data
