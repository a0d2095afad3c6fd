// The small formats: what hand-written decoders and the optional libraries make of one picture.
#include <gtest/gtest.h>

#include <algorithm>

#include "data/decoders/catalog.h"
#include "data/image.h"

namespace tenon::data {
namespace {

// Red, green and blue over three other colours.
const std::vector<uint8_t> kPixels{255, 0,  0,  0,   255, 0,  0,   0,   255,
                                   10,  20, 30, 200, 100, 50, 128, 128, 128};

constexpr std::string_view kWebp =
    "5249464648000000574542505650384c3b0000002f024000002f401660b239740695bf4c1a44da36e3f3ef65"
    "e8d64e2660b175708ba47f1bf31ff0471eb1b66803856c23c0a17b054ee922fa1fc30b00";
constexpr std::string_view kTiff =  // LZW
    "49492a001a000000803fc01038141014140f320c8324043602000a0000010300010000000300000001010300"
    "0100000002000000020103000300000098000000030103000100000005000000060103000100000002000000"
    "1101040001000000080000001501030001000000030000001601030001000000020000001701040001000000"
    "110000001c010300010000000100000000000000080008000800";
constexpr std::string_view kTiffGrey =  // the first 6 bytes of kPixels
    "49492a000e000000ff000000ff000a0000010300010000000300000001010300010000000200000002010300"
    "0100000008000000030103000100000001000000060103000100000001000000110104000100000008000000"
    "1501030001000000010000001601030001000000020000001701040001000000060000001c01030001000000"
    "0100000000000000";
constexpr std::string_view kJp2 =
    "0000000c6a5020200d0a870a00000014667479706a703220000000006a7032200000002d6a70326800000016"
    "6968647200000002000000030003070700000000000f636f6c7201000000000010000000a36a703263ff4fff"
    "51002f0000000000030000000200000000000000000000000300000002000000000000000000030701010701"
    "01070101ff52000c00000001010004040001ff5c00044040ff640025000143726561746564206279204f7065"
    "6e4a5045472076657273696f6e20322e352e30ff90000a00000000002b0001ff93cfb41c08f451b8e43f1fdf"
    "80380e19806b63da5fdf803002f0ca0babf3ffd9";
constexpr std::string_view kJpegStream =
    "ff4fff51002f0000000000030000000200000000000000000000000300000002000000000000000000030701"
    "01070101070101ff52000c00000001010004040001ff5c00044040ff64002500014372656174656420627920"
    "4f70656e4a5045472076657273696f6e20322e352e30ff90000a00000000002b0001ff93cfb41c08f451b8e4"
    "3f1fdf80380e19806b63da5fdf803002f0ca0babf3ffd9";

std::string from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  return bytes;
}

bool is_built(std::string_view format) {
  return std::ranges::any_of(decoders::all(),
                             [&](const ImageDecoder* decoder) { return decoder->name == format; });
}

Tensor decoded(std::string_view file, int channels = 0) {
  return decode_image(std::as_bytes(std::span(file)), {.channels = channels});
}

void expect_pixels(std::string_view file, std::string_view format) {
  SCOPED_TRACE(format);
  const ImageInfo info = probe_image(std::as_bytes(std::span(file)));
  EXPECT_EQ(info.format, format);
  EXPECT_EQ(info.channels, 3);
  const Tensor image = decoded(file);
  EXPECT_EQ(image.shape(), (Shape{2, 3, 3}));
  EXPECT_EQ(image.to_vector<uint8_t>(), kPixels);
  EXPECT_EQ(decoded(file, 1).shape(), (Shape{2, 3, 1}));
  // No beginning of it is a picture, and none does harm.
  for (size_t length = 0; length + 8 < file.size(); ++length) {
    try {
      decoded(file.substr(0, length));
    } catch (const Error& error) {
      EXPECT_EQ(tenon::info(error.kind()).name, "data") << error.what();
    }
  }
}

// A little-endian number of `bytes` bytes.
std::string number(uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += i < 4 ? static_cast<char>(value >> 8 * i & 255) : '\0';
  return text;
}

std::string bmp(int32_t height, uint32_t bits, const std::string& palette,
                const std::string& rows) {
  const auto at = static_cast<uint32_t>(54 + palette.size());
  return "BM" + number(at + static_cast<uint32_t>(rows.size()), 4) + number(0, 4) + number(at, 4) +
         number(40, 4) + number(3, 4) + number(static_cast<uint32_t>(height), 4) + number(1, 2) +
         number(bits, 2) + number(0, 4) + number(0, 12) +
         number(static_cast<uint32_t>(palette.size() / 4), 4) + number(0, 4) + palette + rows;
}

// Row `y` of kPixels as blue, green, red, padded to four bytes.
std::string bgr_row(size_t y) {
  std::string row;
  for (size_t x = 0; x < 3; ++x)
    for (size_t c = 3; c-- > 0;) row += static_cast<char>(kPixels[(y * 3 + x) * 3 + c]);
  return row + std::string(3, '\0');
}

TEST(ImageFormats, Libraries) {
  if (is_built("webp")) expect_pixels(from_hex(kWebp), "webp");
  if (is_built("tiff")) {
    expect_pixels(from_hex(kTiff), "tiff");
    EXPECT_EQ(decoded(from_hex(kTiffGrey)).to_vector<uint8_t>(),
              std::vector<uint8_t>(kPixels.begin(), kPixels.begin() + 6));
  }
  if (is_built("jpeg2000")) {
    expect_pixels(from_hex(kJp2), "jpeg2000");
    expect_pixels(from_hex(kJpegStream), "jpeg2000");
  }
}

TEST(ImageFormats, Bmp) {
  expect_pixels(bmp(2, 24, "", bgr_row(1) + bgr_row(0)), "bmp");
  expect_pixels(bmp(-2, 24, "", bgr_row(0) + bgr_row(1)), "bmp");
  // Two colours, a bit a pixel: the top bits of each row.
  const std::string palette = number(0x102030, 4) + number(0xa0b0c0, 4);
  const std::string bits{'\x40', 0, 0, 0};
  EXPECT_EQ(decoded(bmp(1, 1, palette, bits)).to_vector<uint8_t>(),
            (std::vector<uint8_t>{0x10, 0x20, 0x30, 0xa0, 0xb0, 0xc0, 0x10, 0x20, 0x30}));
  EXPECT_THROW(decoded(bmp(1, 8, palette, std::string(4, '\x05'))), Error);  // no such colour
  EXPECT_THROW(decoded(bmp(2, 16, "", std::string(64, '\0'))), Error);
}

TEST(ImageFormats, Pnm) {
  std::string pixels(kPixels.begin(), kPixels.end());
  expect_pixels("P6\n# a comment\n3 2\n255\n" + pixels, "pnm");
  std::string text = "P3 3 2 255";
  for (const uint8_t value : kPixels) text += fmt::format(" {}", value);
  EXPECT_EQ(decoded(text).to_vector<uint8_t>(), kPixels);
  using Bytes = std::vector<uint8_t>;
  EXPECT_EQ(decoded("P1 3 1 1 01").to_vector<uint8_t>(), (Bytes{0, 255, 0}));
  EXPECT_EQ(decoded("P4 3 1 \xa0").to_vector<uint8_t>(), (Bytes{0, 255, 0}));
  EXPECT_EQ(decoded("P2 2 1 15 15 3").to_vector<uint8_t>(), (Bytes{255, 51}));
  EXPECT_EQ(decoded(std::string_view("P5 1 1 65535\n\x80\x00", 15)).to_vector<uint8_t>(),
            (Bytes{128}));
  EXPECT_THROW(decoded("P2 2 1 15 15"), Error);
  EXPECT_THROW(decoded("P5 100000 100000 255\nab"), Error);
}

}  // namespace
}  // namespace tenon::data
