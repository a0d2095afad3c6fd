// JPEG through libjpeg-turbo, whose errors leave by longjmp: see Reader::guarded().
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs FILE and size_t
#include <cstring>
#include <type_traits>
#include <vector>

#include <jpeglib.h>

#include <jerror.h>

#include "data/decoders/catalog.h"
#include "data/decoders/checked_size.h"

namespace tenon::data {

namespace {

// A picture has some ten scans; each of these costs a walk over all of its blocks.
constexpr int kMaxScans = 100;

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) {
    cinfo_.err = jpeg_std_error(&failure_);
    failure_.error_exit = on_error;
    failure_.emit_message = on_message;
    cinfo_.client_data = this;
    guarded([&] {
      jpeg_create_decompress(&cinfo_);
      progress_.progress_monitor = on_progress;
      cinfo_.progress = &progress_;
      jpeg_mem_src(&cinfo_, reinterpret_cast<const unsigned char*>(bytes.data()),
                   static_cast<unsigned long>(bytes.size()));
      jpeg_read_header(&cinfo_, TRUE);
    });
  }
  ~Reader() { jpeg_destroy_decompress(&cinfo_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  ImageInfo info() const {
    return {"jpeg", static_cast<int64_t>(cinfo_.image_height),
            static_cast<int64_t>(cinfo_.image_width),
            cinfo_.jpeg_color_space == JCS_GRAYSCALE ? 1 : 3};
  }

  Tensor decode(int64_t channels) {
    const bool cmyk = cinfo_.jpeg_color_space == JCS_CMYK || cinfo_.jpeg_color_space == JCS_YCCK;
    const auto height = static_cast<int64_t>(cinfo_.image_height);
    const auto width = static_cast<int64_t>(cinfo_.image_width);
    Tensor image = Tensor::empty({height, width, channels}, DType::u8);
    auto* out = image.data<uint8_t>();
    const auto stride = static_cast<size_t>(width * channels);
    std::vector<uint8_t> inks(cmyk ? static_cast<size_t>(width) * 4 : 0);
    guarded([&] {
      cinfo_.out_color_space = cmyk ? JCS_CMYK : channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
      jpeg_start_decompress(&cinfo_);
      while (cinfo_.output_scanline < cinfo_.output_height) {
        uint8_t* row = out + cinfo_.output_scanline * stride;
        uint8_t* target = cmyk ? inks.data() : row;
        jpeg_read_scanlines(&cinfo_, &target, 1);
        if (cmyk) mix(inks.data(), row, width, channels);
      }
      jpeg_finish_decompress(&cinfo_);
    });
    return image;
  }

 private:
  // Calls libjpeg. `step` and what it calls own nothing, so an error may jump over their frames.
  template <class Step>
  void guarded(Step step) {
    static_assert(std::is_trivially_destructible_v<Step>);
    if (setjmp(jump_) == 0) {
      step();
      return;
    }
    // A constructor that throws runs no destructor of its own; destroying twice is allowed.
    jpeg_destroy_decompress(&cinfo_);
    fail(ErrorKind::data, "jpeg: {}; fetch the file again or leave it out", text_);
  }

  static Reader& of(j_common_ptr cinfo) { return *static_cast<Reader*>(cinfo->client_data); }
  [[noreturn]] static void on_error(j_common_ptr cinfo) {
    Reader& reader = of(cinfo);
    cinfo->err->format_message(cinfo, reader.text_);
    std::longjmp(reader.jump_, 1);
  }
  [[noreturn]] static void leave(j_common_ptr cinfo, const char* text) {
    std::strncpy(of(cinfo).text_, text, JMSG_LENGTH_MAX - 1);
    std::longjmp(of(cinfo).jump_, 1);
  }
  // libjpeg fills a truncated picture up with grey and merely warns. Its other warnings are about
  // files that every viewer shows.
  static void on_message(j_common_ptr cinfo, int level) {
    if (level < 0 && cinfo->err->msg_code == JWRN_JPEG_EOF)
      leave(cinfo, "the file ends before the picture does");
  }
  static void on_progress(j_common_ptr cinfo) {
    if (cinfo->is_decompressor &&
        reinterpret_cast<j_decompress_ptr>(cinfo)->input_scan_number > kMaxScans)
      leave(cinfo, "the picture comes in more than 100 scans, as only made-up files do");
  }

  // Adobe writes inks inverted (255 is none), and says so by its marker.
  void mix(const uint8_t* inks, uint8_t* row, int64_t width, int64_t channels) const {
    const uint32_t flip = cinfo_.saw_Adobe_marker ? 0 : 255;
    for (int64_t x = 0; x < width; ++x) {
      uint8_t rgb[3];
      const uint32_t black = inks[4 * x + 3] ^ flip;
      for (int i = 0; i < 3; ++i)
        rgb[i] = static_cast<uint8_t>(((inks[4 * x + i] ^ flip) * black + 127) / 255);
      if (channels == 1)
        rgb_to_grey(rgb, row + x, 1);
      else
        for (int i = 0; i < 3; ++i) row[3 * x + i] = rgb[i];
    }
  }

  jpeg_decompress_struct cinfo_{};
  jpeg_error_mgr failure_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_;
  char text_[JMSG_LENGTH_MAX] = "";
};

ImageInfo probe(std::span<const std::byte> bytes) { return Reader(bytes).info(); }

Tensor decode(std::span<const std::byte> bytes, const DecodeOptions& options) {
  Reader reader(bytes);
  check_size(reader.info(), options);
  return reader.decode(options.channels == 0 ? reader.info().channels : options.channels);
}

}  // namespace

constinit const ImageDecoder decoders::Jpeg{"jpeg", {"\xff\xd8\xff"}, probe, decode};

}  // namespace tenon::data
