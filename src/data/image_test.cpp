#include "data/image.h"

#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <cstdio>  // jpeglib.h needs FILE and size_t
#include <cstdlib>

#include <jpeglib.h>

#include "data/testing.h"

namespace tenon::data {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// A picture with gradients in each channel, so that JPEG keeps it nearly.
Tensor picture(int64_t height, int64_t width, int64_t channels) {
  Tensor image = Tensor::empty({height, width, channels}, DType::u8);
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < channels; ++c)
        image.data<uint8_t>()[(y * width + x) * channels + c] =
            static_cast<uint8_t>(40 * c + 100 * y / height + 60 * x / width);
  return image;
}

void expect_near(const Tensor& a, const Tensor& b, int tolerance) {
  ASSERT_EQ(a.shape(), b.shape());
  for (int64_t i = 0; i < a.numel(); ++i)
    ASSERT_NEAR(a.data<uint8_t>()[i], b.data<uint8_t>()[i], tolerance) << i;
}

std::string jpeg(const Tensor& image, J_COLOR_SPACE space, bool progressive = false) {
  jpeg_compress_struct cinfo;
  jpeg_error_mgr errors;
  cinfo.err = jpeg_std_error(&errors);
  jpeg_create_compress(&cinfo);
  unsigned char* file = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&cinfo, &file, &size);
  cinfo.image_height = static_cast<JDIMENSION>(image.size(0));
  cinfo.image_width = static_cast<JDIMENSION>(image.size(1));
  cinfo.input_components = static_cast<int>(image.size(2));
  cinfo.in_color_space = space;
  jpeg_set_defaults(&cinfo);
  jpeg_set_quality(&cinfo, 95, TRUE);
  if (progressive) jpeg_simple_progression(&cinfo);
  jpeg_start_compress(&cinfo, TRUE);
  while (cinfo.next_scanline < cinfo.image_height) {
    JSAMPROW row = const_cast<uint8_t*>(image.data<uint8_t>()) +
                   cinfo.next_scanline * cinfo.image_width * static_cast<JDIMENSION>(image.size(2));
    jpeg_write_scanlines(&cinfo, &row, 1);
  }
  jpeg_finish_compress(&cinfo);
  jpeg_destroy_compress(&cinfo);
  std::string result(reinterpret_cast<char*>(file), size);
  std::free(file);
  return result;
}

// A PNG of any type and depth from rows of packed bytes.
std::string png(int width, int height, int type, int depth, std::string_view rows,
                bool interlaced = false) {
  png_structp out = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(out);
  std::string file;
  png_set_write_fn(
      out, &file,
      [](png_structp p, png_bytep data, size_t size) {
        static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<char*>(data), size);
      },
      nullptr);
  png_set_IHDR(out, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), depth,
               type, interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (type == PNG_COLOR_TYPE_PALETTE) {
    const png_color palette[4] = {{1, 2, 3}, {10, 20, 30}, {100, 110, 120}, {200, 210, 220}};
    const png_byte alpha[2] = {0, 128};
    png_set_PLTE(out, info, palette, 4);
    png_set_tRNS(out, info, alpha, 2, nullptr);
  }
  png_write_info(out, info);
  png_set_interlace_handling(out);
  std::vector<png_bytep> pointers;
  const size_t stride = rows.size() / static_cast<size_t>(height);
  for (int y = 0; y < height; ++y)
    pointers.push_back(reinterpret_cast<png_bytep>(
        const_cast<char*>(rows.data() + static_cast<size_t>(y) * stride)));
  png_write_image(out, pointers.data());
  png_write_end(out, nullptr);
  png_destroy_write_struct(&out, &info);
  return file;
}

std::vector<uint8_t> pixels(const std::string& file, int channels = 0) {
  return decode_image(bytes_of(file), {.channels = channels}).to_vector<uint8_t>();
}
using Bytes = std::vector<uint8_t>;

TEST(Png, ComesBackAsItWas) {
  for (const int64_t channels : {1, 3}) {
    const Tensor image = picture(13, 7, channels);
    const std::string file = encode_png(image);
    expect_near(decode_image(bytes_of(file)), image, 0);
    const ImageInfo info = probe_image(bytes_of(file));
    EXPECT_EQ(info.format, "png");
    EXPECT_EQ(info.height, 13);
    EXPECT_EQ(info.width, 7);
    EXPECT_EQ(info.channels, channels);
  }
  const Tensor flat = Tensor::full({4, 5}, 77, DType::u8);
  EXPECT_EQ(decode_image(bytes_of(encode_png(flat))).shape(), (Shape{4, 5, 1}));
  const Tensor columns = picture(4, 6, 1).squeeze(2).transpose(0, 1);
  EXPECT_EQ(pixels(encode_png(columns)), columns.to_vector<uint8_t>());
}

TEST(Png, ReducesEveryKind) {
  using namespace std::literals;
  EXPECT_EQ(pixels(png(4, 1, PNG_COLOR_TYPE_GRAY, 1, "\xa0"sv)), (Bytes{255, 0, 255, 0}));
  EXPECT_EQ(pixels(png(2, 1, PNG_COLOR_TYPE_GRAY, 4, "\x3f"sv)), (Bytes{51, 255}));
  EXPECT_EQ(pixels(png(2, 1, PNG_COLOR_TYPE_GRAY, 16, "\x80\x80\xff\xff"sv)), (Bytes{128, 255}));
  EXPECT_EQ(pixels(png(1, 1, PNG_COLOR_TYPE_RGB, 16, "\1\1\2\2\3\3"sv)), (Bytes{1, 2, 3}));
  EXPECT_EQ(pixels(png(1, 1, PNG_COLOR_TYPE_RGB_ALPHA, 8, "\1\2\3\0"sv)), (Bytes{1, 2, 3}));
  EXPECT_EQ(pixels(png(2, 1, PNG_COLOR_TYPE_GRAY_ALPHA, 8, "\1\0\2\xff"sv)), (Bytes{1, 2}));
  EXPECT_EQ(pixels(png(4, 1, PNG_COLOR_TYPE_PALETTE, 2, "\x1b"sv)),
            (Bytes{1, 2, 3, 10, 20, 30, 100, 110, 120, 200, 210, 220}));
  const Tensor image = picture(9, 11, 3);
  const std::string_view rows(static_cast<const char*>(image.raw()), image.bytes());
  EXPECT_EQ(pixels(png(11, 9, PNG_COLOR_TYPE_RGB, 8, rows, /*interlaced=*/true)),
            image.to_vector<uint8_t>());
}

TEST(Image, ChangesChannels) {
  const std::string colour = encode_png(Tensor::from<uint8_t>({255, 0, 0, 10, 200, 30}, {1, 2, 3}));
  EXPECT_EQ(pixels(colour, 1), (Bytes{76, 124}));
  const std::string grey = encode_png(Tensor::from<uint8_t>({5, 6}, {1, 2}));
  EXPECT_EQ(pixels(grey, 3), (Bytes{5, 5, 5, 6, 6, 6}));
  EXPECT_FAILURE(decode_image(bytes_of(grey), {.channels = 4}), "usage: image: 4 channels");
}

TEST(Jpeg, KeepsThePicture) {
  const Tensor colour = picture(33, 47, 3);
  const Tensor grey = picture(33, 47, 1);
  for (const bool progressive : {false, true}) {
    expect_near(decode_image(bytes_of(jpeg(colour, JCS_RGB, progressive))), colour, 8);
    expect_near(decode_image(bytes_of(jpeg(grey, JCS_GRAYSCALE, progressive))), grey, 4);
  }
  EXPECT_EQ(decode_image(bytes_of(jpeg(grey, JCS_GRAYSCALE)), {.channels = 3}).shape(),
            (Shape{33, 47, 3}));
  Tensor luma = Tensor::empty({33, 47, 1}, DType::u8);
  rgb_to_grey(colour.data<uint8_t>(), luma.data<uint8_t>(), 33 * 47);
  expect_near(decode_image(bytes_of(jpeg(colour, JCS_RGB)), {.channels = 1}), luma, 4);
  const ImageInfo info = probe_image(bytes_of(jpeg(colour, JCS_RGB)));
  EXPECT_EQ(info.format, "jpeg");
  EXPECT_EQ(info.height, 33);
  EXPECT_EQ(info.width, 47);
}

TEST(Jpeg, MixesInks) {
  // libjpeg writes Adobe's marker with CMYK, so these inks are inverted: 255 is none.
  Tensor inks = Tensor::empty({16, 16, 4}, DType::u8);
  for (int64_t i = 0; i < 256; ++i) {
    const uint8_t ink[4] = {200, 100, 50, 255};
    std::copy_n(ink, 4, inks.data<uint8_t>() + 4 * i);
  }
  const Bytes rgb = pixels(jpeg(inks, JCS_CMYK));
  EXPECT_NEAR(rgb[0], 200, 3);
  EXPECT_NEAR(rgb[1], 100, 3);
  EXPECT_NEAR(rgb[2], 50, 3);
  EXPECT_NEAR(pixels(jpeg(inks, JCS_CMYK), 1)[0], 124, 4);
}

TEST(Image, RefusesEveryTruncation) {
  const std::string files[] = {encode_png(picture(12, 10, 3)), jpeg(picture(12, 10, 3), JCS_RGB),
                               jpeg(picture(12, 10, 3), JCS_RGB, true),
                               jpeg(picture(12, 10, 1), JCS_GRAYSCALE)};
  for (const std::string& file : files) {
    // The last two bytes of a JPEG mark its end; pictures are whole before them.
    const size_t whole = file[0] == '\xff' ? file.size() - 2 : file.size();
    for (size_t length = 0; length < whole; ++length) {
      EXPECT_THROW(decode_image(bytes_of(file).first(length)), Error)
          << length << " of " << file.size();
      try {
        probe_image(bytes_of(file).first(length));
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::data);
      }
    }
  }
}

TEST(Image, SurvivesDamage) {
  for (const std::string& file :
       {encode_png(picture(8, 8, 3)), jpeg(picture(8, 8, 3), JCS_RGB, true)})
    for (size_t at = 0; at < file.size(); ++at)
      for (const int flip : {0x01, 0x80, 0xff}) {
        std::string damaged = file;
        damaged[at] = static_cast<char>(damaged[at] ^ flip);
        try {
          decode_image(bytes_of(damaged), {.max_pixels = 1 << 20});
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
        }
      }
}

TEST(Image, ChecksSizesFirst) {
  const std::string file = encode_png(picture(10, 10, 1));
  EXPECT_FAILURE(decode_image(bytes_of(file), {.max_pixels = 99}),
                 "data: png: 10 x 10 pixels are more than the limit of 99");
  EXPECT_EQ(decode_image(bytes_of(file), {.max_pixels = 100}).numel(), 100);
  // A header of 8192 x 8192 RGB pixels in front of the data of a small picture; libpng wants its
  // CRC.
  std::string big = encode_png(picture(10, 10, 3));
  const std::string head = png(8192, 1, PNG_COLOR_TYPE_RGB, 8, std::string(3 * 8192, '\0'));
  big.replace(0, 33, head, 0, 33);
  big[22] = '\x20';  // height 0x2000 in bytes 20 to 23
  big[23] = '\0';
  const uint32_t crc =
      static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(big.data()) + 12, 17));
  for (size_t i = 0; i < 4; ++i) big[29 + i] = static_cast<char>(crc >> (24 - 8 * i));
  EXPECT_FAILURE(decode_image(bytes_of(big)), "8192 x 8192 pixels, which");
}

TEST(Image, NamesUnknownFormats) {
  EXPECT_FAILURE(decode_image(bytes_of("GIF89a")), "data: image: the file starts with 47 49 46 38");
  EXPECT_FAILURE(decode_image({}), "the file is empty");
  EXPECT_FAILURE(encode_png(Tensor::zeros({2, 2})), "png: f32 [2, 2] is no image");
  EXPECT_FAILURE(encode_png(Tensor::zeros({2, 2, 2}, DType::u8)), "u8 [2, 2, 2]");
}

}  // namespace
}  // namespace tenon::data
