// The IDX format of MNIST (Y. LeCun, "The MNIST database", the section on file formats): two zero
// bytes, a type, a rank, that many big-endian 32-bit sizes, then the elements, big-endian.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "data/sources.h"
#include "data/sources/catalog.h"

namespace tenon::data {

namespace {

DType type_of(uint8_t code, std::string_view where) {
  switch (code) {
    case 0x08: return DType::u8;
    case 0x09: return DType::i8;
    case 0x0b: return DType::i16;
    case 0x0c: return DType::i32;
    case 0x0d: return DType::f32;
    case 0x0e: return DType::f64;
    default: break;
  }
  fail(ErrorKind::data,
       "{}: type 0x{:02x} is none of IDX; the file is damaged or in another format", where, code);
}

Tensor parse(std::span<const std::byte> bytes, std::string_view where) {
  const auto* head = reinterpret_cast<const uint8_t*>(bytes.data());
  TENON_CHECK(
      bytes.size() >= 4 && head[0] == 0 && head[1] == 0, data,
      "{}: does not start as an IDX file does, with 00 00, type and rank; use a file such as "
      "train-images-idx3-ubyte",
      where);
  const DType type = type_of(head[2], where);
  const size_t rank = head[3];
  TENON_CHECK(rank >= 1 && rank <= kMaxRank, data, "{}: has {} axes; 1 to {} are possible", where,
              rank, kMaxRank);
  const size_t start = 4 + 4 * rank;
  TENON_CHECK(bytes.size() >= start, data, "{}: ends within its header of {} bytes; fetch it again",
              where, start);
  Shape shape;
  uint64_t need = size_of(type);
  for (size_t axis = 0; axis < rank; ++axis) {
    const uint8_t* size = head + 4 + 4 * axis;
    shape.push_back(int64_t{size[0]} << 24 | int64_t{size[1]} << 16 | int64_t{size[2]} << 8 |
                    int64_t{size[3]});
    const auto factor = static_cast<uint64_t>(shape.back());
    need = factor != 0 && need > UINT64_MAX / factor ? UINT64_MAX : need * factor;
  }
  TENON_CHECK(need == bytes.size() - start, data,
              "{}: the header says {} {}, but {} bytes of elements follow; fetch the file again",
              where, name(type), shape.str(), bytes.size() - start);
  Tensor values = Tensor::empty(shape, type);
  const size_t width = size_of(type);
  auto* to = static_cast<std::byte*>(values.raw());
  if (need > 0) std::memcpy(to, bytes.data() + start, need);
  if (width > 1)
    for (size_t at = 0; at < need; at += width) std::reverse(to + at, to + at + width);
  return values;
}

Tensor load(const std::string& path, std::string_view what) {
  constexpr std::string_view kDebian = "/usr/share/datasets/";
  if (path.starts_with(kDebian) && !exists(path)) {
    const std::string_view rest = std::string_view(path).substr(kDebian.size());
    fail(ErrorKind::resource,
         "idx: there is no {}; install the data set: apt-get install dataset-{}", path,
         rest.substr(0, rest.find('/')));
  }
  const MappedFile file(path, MappedFile::Access::sequential);
  return with_context([&] { return fmt::format("while reading the {}", what); },
                      [&] { return decode_idx(file.bytes(), path); });
}

SourcePtr make(const Config& config) {
  return idx_source({.images = config.get<std::string>("images"),
                     .labels = config.get<std::string>("labels", ""),
                     .classes = config.get<std::vector<std::string>>("classes", {})});
}

constexpr std::array kKeys{Key{"images", "the file of images, plain or .gz"},
                           Key{"labels", "the file of labels"},
                           Key{"classes", "the names of labels 0, 1, ..."}};

}  // namespace

constinit const SourceDef sources::Idx{"idx", "images and labels in MNIST's format", kKeys, make};

Tensor decode_idx(std::span<const std::byte> bytes, std::string_view where, uint64_t max_bytes) {
  const bool compressed =
      bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
  if (!compressed) return parse(bytes, where);
  const std::string content = gunzip(bytes, max_bytes, where);
  return parse(std::as_bytes(std::span(content)), where);
}

SourcePtr idx_source(const IdxOptions& options) {
  Tensor images = load(options.images, "images");
  // Two axes an item or three with the channels last: a picture. Anything else is numbers.
  const bool pictures = images.dtype() == DType::u8 && (images.rank() == 3 || images.rank() == 4);
  std::vector<Column> columns;
  columns.push_back({"image", images, pictures ? Role::image : Role::value});
  if (!options.labels.empty()) {
    const Tensor labels = load(options.labels, "labels");
    TENON_CHECK(is_int(labels.dtype()), data, "{}: labels are {}; whole numbers are expected",
                options.labels, name(labels.dtype()));
    TENON_CHECK(labels.size(0) == images.size(0), data,
                "{}: {} labels for the {} images of {}; use files that belong together",
                options.labels, labels.size(0), images.size(0), options.images);
    Tensor numbers = Tensor::empty(labels.shape(), DType::i64);
    numbers.copy_from(labels);
    columns.push_back({"label", numbers, Role::value, options.classes});
  }
  return tensor_source(std::move(columns), options.images);
}

}  // namespace tenon::data
