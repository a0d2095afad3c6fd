// PNG through libpng, whose errors leave by longjmp: see Reader::guarded().
#include <csetjmp>
#include <cstring>
#include <type_traits>
#include <vector>

#include <png.h>

#include "data/decoders/catalog.h"
#include "data/decoders/checked_size.h"

namespace tenon::data {

namespace {

// Deflate makes at most 1032 bytes of one (zlib's technical notes).
constexpr uint64_t kMaxInflation = 1032;
// No ancillary chunk (text, colour profile) may take more once inflated.
constexpr png_alloc_size_t kMaxChunk = 4 << 20;

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : left_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    info_ = png_ ? png_create_info_struct(png_) : nullptr;
    if (!info_) {
      png_destroy_read_struct(&png_, &info_, nullptr);
      fail(ErrorKind::resource, "png: no memory for a decoder; free some");
    }
    guarded([&] {
      png_set_read_fn(png_, this, on_read);
      png_set_chunk_malloc_max(png_, kMaxChunk);
      png_read_info(png_, info_);
    });
  }
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  ImageInfo info() const {
    return {"png", png_get_image_height(png_, info_), png_get_image_width(png_, info_),
            png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR ? 3 : 1};
  }
  uint64_t packed_bytes() const {
    return uint64_t{png_get_rowbytes(png_, info_)} * png_get_image_height(png_, info_);
  }

  // 8 bits a sample, palettes looked up, alpha dropped; colour stays colour and grey grey.
  Tensor decode() {
    const ImageInfo size = info();
    Tensor image = Tensor::empty({size.height, size.width, size.channels}, DType::u8);
    std::vector<png_bytep> rows(static_cast<size_t>(size.height));
    for (size_t y = 0; y < rows.size(); ++y)
      rows[y] = image.data<uint8_t>() + y * static_cast<size_t>(size.width * size.channels);
    guarded([&] {
      png_set_scale_16(png_);
      png_set_expand(png_);
      png_set_strip_alpha(png_);
      png_set_interlace_handling(png_);
      png_read_update_info(png_, info_);
      if (png_get_rowbytes(png_, info_) != static_cast<size_t>(size.width * size.channels))
        png_error(png_, "rows have an unexpected size");
      png_read_image(png_, rows.data());
      png_read_end(png_, nullptr);
    });
    return image;
  }

 private:
  // Calls libpng. `step` and what it calls own nothing, so an error may jump over their frames.
  template <class Step>
  void guarded(Step step) {
    static_assert(std::is_trivially_destructible_v<Step>);
    if (setjmp(jump_) == 0) {
      step();
      return;
    }
    // A constructor that throws runs no destructor of its own; destroying twice is allowed.
    png_destroy_read_struct(&png_, &info_, nullptr);
    fail(ErrorKind::data, "png: {}; fetch the file again or leave it out", text_);
  }

  [[noreturn]] static void on_error(png_structp png, png_const_charp text) {
    auto& reader = *static_cast<Reader*>(png_get_error_ptr(png));
    std::strncpy(reader.text_, text, sizeof(reader.text_) - 1);
    std::longjmp(reader.jump_, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_read(png_structp png, png_bytep out, size_t count) {
    auto& reader = *static_cast<Reader*>(png_get_io_ptr(png));
    if (count > reader.left_.size()) png_error(png, "the file ends before the picture does");
    std::memcpy(out, reader.left_.data(), count);
    reader.left_ = reader.left_.subspan(count);
  }

  std::span<const std::byte> left_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_;
  char text_[128] = "";
};

ImageInfo probe(std::span<const std::byte> bytes) { return Reader(bytes).info(); }

Tensor decode(std::span<const std::byte> bytes, const DecodeOptions& options) {
  Reader reader(bytes);
  const ImageInfo info = reader.info();
  check_size(info, options);
  TENON_CHECK(
      reader.packed_bytes() / kMaxInflation <= bytes.size(), data,
      "png: the header says {} x {} pixels, which {} bytes cannot hold; the file is damaged",
      info.width, info.height, bytes.size());
  Tensor image = reader.decode();
  if (options.channels == 0 || options.channels == info.channels) return image;
  if (options.channels == 3) return image.expand({info.height, info.width, 3}).contiguous();
  Tensor grey = Tensor::empty({info.height, info.width, 1}, DType::u8);
  rgb_to_grey(image.data<uint8_t>(), grey.data<uint8_t>(), info.height * info.width);
  return grey;
}

}  // namespace

constinit const ImageDecoder decoders::Png{"png", {"\x89PNG\r\n\x1a\n"}, probe, decode};

std::string encode_png(const Tensor& image) {
  const Shape& shape = image.shape();
  const int64_t channels = shape.rank() == 3 ? shape[2] : 1;
  TENON_CHECK(image.dtype() == DType::u8 && (shape.rank() == 2 || shape.rank() == 3) &&
                  image.numel() > 0 && (channels == 1 || channels == 3 || channels == 4),
              usage,
              "png: {} {} is no image that can be written; use u8 [height, width] or [height, "
              "width, 1, 3 or 4]",
              name(image.dtype()), shape.str());
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.height = static_cast<png_uint_32>(shape[0]);
  header.width = static_cast<png_uint_32>(shape[1]);
  header.format = channels == 1   ? PNG_FORMAT_GRAY
                  : channels == 3 ? PNG_FORMAT_RGB
                                  : PNG_FORMAT_RGBA;
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::string file(bytes, '\0');
  const Tensor rows = image.contiguous();
  const int done =
      png_image_write_to_memory(&header, file.data(), &bytes, 0, rows.data<uint8_t>(), 0, nullptr);
  TENON_CHECK(done != 0, resource, "png: {} {} was not written: {}; free memory",
              name(image.dtype()), shape.str(), header.message);
  file.resize(bytes);
  return file;
}

}  // namespace tenon::data
