// TIFF through libtiff: the first picture of a file, from memory.
#include <tiffio.h>

#include <cstring>
#include <memory>

#include "data/decoders/bytes.h"
#include "data/decoders/catalog.h"

namespace tenon::data {

namespace {

// For one strip or tile, whatever the file says.
constexpr tmsize_t kMostMemory = tmsize_t{1} << 28;

// A file in memory, as libtiff reads it.
struct File {
  std::span<const std::byte> bytes;
  uint64_t at = 0;

  static File& of(thandle_t handle) { return *static_cast<File*>(handle); }
  static tmsize_t read(thandle_t handle, void* to, tmsize_t count) {
    File& file = of(handle);
    const uint64_t left = file.at < file.bytes.size() ? file.bytes.size() - file.at : 0;
    const uint64_t taken = std::min(left, static_cast<uint64_t>(std::max<tmsize_t>(count, 0)));
    if (taken) std::memcpy(to, file.bytes.data() + file.at, taken);
    file.at += taken;
    return static_cast<tmsize_t>(taken);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t seek(thandle_t handle, toff_t to, int whence) {
    File& file = of(handle);
    file.at = to + (whence == SEEK_CUR ? file.at : whence == SEEK_END ? file.bytes.size() : 0);
    return file.at;
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t handle) { return of(handle).bytes.size(); }
};

struct Close {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Handle = std::unique_ptr<TIFF, Close>;

int say_nothing(TIFF*, void*, const char*, const char*, va_list) { return 1; }

Handle open(File& file) {
  TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
  TIFFOpenOptionsSetErrorHandlerExtR(options, say_nothing, nullptr);
  TIFFOpenOptionsSetWarningHandlerExtR(options, say_nothing, nullptr);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, kMostMemory);
  Handle tiff(TIFFClientOpenExt("tiff", "rm", &file, File::read, File::write, File::seek,
                                File::close, File::size, nullptr, nullptr, options));
  TIFFOpenOptionsFree(options);
  TENON_CHECK(tiff, data, "tiff: the header is damaged; fetch the file again or leave it out");
  return tiff;
}

ImageInfo info_of(TIFF* tiff) {
  uint32_t width = 0, height = 0;
  uint16_t samples = 1, photometric = PHOTOMETRIC_MINISBLACK;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
  TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric);
  const bool grey = photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE;
  return {"tiff", height, width, grey && samples <= 2 ? 1 : 3};
}

ImageInfo probe(std::span<const std::byte> bytes) {
  File file{bytes};
  return info_of(open(file).get());
}

Tensor decode(std::span<const std::byte> bytes, const DecodeOptions& options) {
  File file{bytes};
  const Handle tiff = open(file);
  const ImageInfo info = info_of(tiff.get());
  check_size(info, options);
  const auto pixels = static_cast<size_t>(info.width * info.height);
  std::vector<uint32_t> rgba(pixels);
  TENON_CHECK(TIFFReadRGBAImageOriented(tiff.get(), static_cast<uint32_t>(info.width),
                                        static_cast<uint32_t>(info.height), rgba.data(),
                                        ORIENTATION_TOPLEFT, 1),
              data,
              "tiff: the picture is damaged or of a kind libtiff cannot read; convert it to "
              "PNG");
  Tensor image = Tensor::empty({info.height, info.width, info.channels}, DType::u8);
  uint8_t* out = image.data<uint8_t>();
  for (const uint32_t pixel : rgba) {
    *out++ = static_cast<uint8_t>(TIFFGetR(pixel));
    if (info.channels == 1) continue;
    *out++ = static_cast<uint8_t>(TIFFGetG(pixel));
    *out++ = static_cast<uint8_t>(TIFFGetB(pixel));
  }
  return with_channels(image, options.channels);
}

}  // namespace

constinit const ImageDecoder decoders::Tiff{
    "tiff", {std::string_view("II*\0", 4), std::string_view("MM\0*", 4)}, probe, decode};

}  // namespace tenon::data
