// JPEG 2000 through OpenJPEG: JP2 files and bare code streams of 1 or 3 components.
#include <openjpeg.h>

#include <cstring>
#include <memory>

#include "data/decoders/bytes.h"
#include "data/decoders/catalog.h"

namespace tenon::data {

namespace {

struct File {
  std::span<const std::byte> bytes;
  size_t at = 0;

  static OPJ_SIZE_T read(void* to, OPJ_SIZE_T count, void* user) {
    File& file = *static_cast<File*>(user);
    const size_t taken = std::min(count, file.bytes.size() - file.at);
    if (taken == 0) return static_cast<OPJ_SIZE_T>(-1);
    std::memcpy(to, file.bytes.data() + file.at, taken);
    file.at += taken;
    return taken;
  }
  static OPJ_OFF_T skip(OPJ_OFF_T count, void* user) {
    File& file = *static_cast<File*>(user);
    if (count < 0 || static_cast<size_t>(count) > file.bytes.size() - file.at) return -1;
    file.at += static_cast<size_t>(count);
    return count;
  }
  static OPJ_BOOL seek(OPJ_OFF_T to, void* user) {
    File& file = *static_cast<File*>(user);
    if (to < 0 || static_cast<size_t>(to) > file.bytes.size()) return OPJ_FALSE;
    file.at = static_cast<size_t>(to);
    return OPJ_TRUE;
  }
};

// A stream, a decoder and the image whose header it has read.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : file_{bytes} {
    const bool boxed = !bytes.empty() && bytes[0] == std::byte{0};
    codec_.reset(opj_create_decompress(boxed ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K));
    stream_.reset(opj_stream_default_create(OPJ_TRUE));
    TENON_CHECK(codec_ && stream_, resource, "jpeg2000: no memory for a decoder; free some");
    opj_stream_set_user_data(stream_.get(), &file_, nullptr);
    opj_stream_set_user_data_length(stream_.get(), bytes.size());
    opj_stream_set_read_function(stream_.get(), File::read);
    opj_stream_set_skip_function(stream_.get(), File::skip);
    opj_stream_set_seek_function(stream_.get(), File::seek);
    opj_dparameters_t parameters;
    opj_set_default_decoder_parameters(&parameters);
    opj_image_t* image = nullptr;
    const bool read = opj_setup_decoder(codec_.get(), &parameters) &&
                      opj_read_header(stream_.get(), codec_.get(), &image);
    image_.reset(image);
    TENON_CHECK(read && image, data,
                "jpeg2000: the header is damaged; fetch the file again or leave it out");
    TENON_CHECK(image->numcomps >= 1 && image->numcomps <= 4, data,
                "jpeg2000: a picture of {} components; convert it to PNG", image->numcomps);
  }

  ImageInfo info() const {
    const auto width = static_cast<int64_t>(image_->x1) - image_->x0;
    const auto height = static_cast<int64_t>(image_->y1) - image_->y0;
    return {"jpeg2000", height, width, image_->numcomps >= 3 ? 3 : 1};
  }

  Tensor decode() {
    const ImageInfo size = info();
    TENON_CHECK(opj_decode(codec_.get(), stream_.get(), image_.get()), data,
                "jpeg2000: the picture is damaged; fetch the file again or leave it out");
    Tensor image = Tensor::empty({size.height, size.width, size.channels}, DType::u8);
    for (int64_t c = 0; c < size.channels; ++c) {
      const opj_image_comp_t& from = image_->comps[c];
      TENON_CHECK(from.data && from.w == size.width && from.h == size.height && from.prec <= 16,
                  data,
                  "jpeg2000: component {} has {} x {} samples of {} bits in a picture of {} x {}; "
                  "convert the file to PNG",
                  c, from.w, from.h, from.prec, size.width, size.height);
      const int32_t shift = from.sgnd ? 1 << (from.prec - 1) : 0;
      const int32_t most = (1 << from.prec) - 1;
      for (int64_t i = 0; i < size.height * size.width; ++i) {
        const int32_t value = std::clamp(from.data[i] + shift, 0, most);
        image.data<uint8_t>()[i * size.channels + c] =
            static_cast<uint8_t>(from.prec == 8 ? value : (value * 255 + most / 2) / most);
      }
    }
    return image;
  }

 private:
  struct Destroy {
    void operator()(opj_codec_t* codec) const { opj_destroy_codec(codec); }
    void operator()(opj_image_t* image) const { opj_image_destroy(image); }
  };
  struct DestroyStream {
    void operator()(opj_stream_t* stream) const { opj_stream_destroy(stream); }
  };

  File file_;
  // opj_codec_t and opj_stream_t are both void*: handles.
  std::unique_ptr<opj_codec_t, Destroy> codec_;
  std::unique_ptr<opj_stream_t, DestroyStream> stream_;
  std::unique_ptr<opj_image_t, Destroy> image_;
};

ImageInfo probe(std::span<const std::byte> bytes) { return Reader(bytes).info(); }

Tensor decode(std::span<const std::byte> bytes, const DecodeOptions& options) {
  Reader reader(bytes);
  check_size(reader.info(), options);
  return with_channels(reader.decode(), options.channels);
}

}  // namespace

constinit const ImageDecoder decoders::Jpeg2000{
    "jpeg2000",
    {std::string_view("\0\0\0\x0cjP  \r\n\x87\n", 12), "\xff\x4f\xff\x51"},
    probe,
    decode};

}  // namespace tenon::data
