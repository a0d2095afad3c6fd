// NumPy's .npy files (NEP 1): a magic, a version, the length of the header, the header as a Python
// dictionary, the elements.
#include <array>
#include <charconv>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "data/sources.h"
#include "data/sources/catalog.h"

namespace tenon::data {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct Header {
  std::string_view descr;  // "<f4"
  bool fortran = false;
  Shape shape;
  size_t start = 0;  // of the elements
};

// Reads {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }: the three keys in any order.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  Header read() {
    Header header;
    unsigned seen = 0;
    expect('{');
    while (!take('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr") {
        header.descr = quoted();
        seen |= 1;
      } else if (key == "fortran_order") {
        header.fortran = boolean();
        seen |= 2;
      } else if (key == "shape") {
        header.shape = tuple();
        seen |= 4;
      } else {
        broken();
      }
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    if (seen != 7) broken();
    return header;
  }

 private:
  [[noreturn]] void broken() const {
    fail(ErrorKind::data,
         "npy: {} has the header {}, which is not NumPy's; write it with numpy.save", path_,
         text::quoted(text_, 120));
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) broken();
  }
  std::string_view quoted() {
    expect('\'');
    const size_t end = text_.find('\'', at_);
    if (end == std::string_view::npos) broken();
    const std::string_view word = text_.substr(at_, end - at_);
    at_ = end + 1;
    return word;
  }
  bool boolean() {
    skip();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return value;
    }
    broken();
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!take(')')) {
      int64_t size = 0;
      skip();
      const auto [end, error] =
          std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0 || shape.rank() == kMaxRank) broken();
      at_ = static_cast<size_t>(end - text_.data());
      shape.push_back(size);
      if (!take(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }

  std::string_view text_;
  const std::string& path_;
  size_t at_ = 0;
};

Header read_header(std::string_view file, const std::string& path) {
  TENON_CHECK(file.size() >= 10 && file.starts_with(kMagic), data,
              "npy: {} does not start as a .npy file does; write it with numpy.save", path);
  const int version = static_cast<uint8_t>(file[6]);
  TENON_CHECK(version >= 1 && version <= 3, unsupported,
              "npy: {} has version {} of the format; 1 to 3 are known", path, version);
  const size_t width = version == 1 ? 2 : 4;
  size_t length = 0;
  for (size_t i = 0; i < width && 8 + i < file.size(); ++i)
    length |= size_t{static_cast<uint8_t>(file[8 + i])} << (8 * i);
  const size_t start = 8 + width + length;
  TENON_CHECK(start <= file.size(), data, "npy: {} ends within its header; fetch it again", path);
  Header header = HeaderReader(file.substr(8 + width, length), path).read();
  header.start = start;
  return header;
}

DType type_of(std::string_view descr, const std::string& path) {
  constexpr std::array<std::pair<std::string_view, DType>, 12> kTypes{{
      {"b1", DType::boolean},
      {"u1", DType::u8},
      {"i1", DType::i8},
      {"u2", DType::u16},
      {"i2", DType::i16},
      {"u4", DType::u32},
      {"i4", DType::i32},
      {"u8", DType::u64},
      {"i8", DType::i64},
      {"f2", DType::f16},
      {"f4", DType::f32},
      {"f8", DType::f64},
  }};
  const bool one_byte = descr.starts_with('|');
  if (descr.starts_with('<') || one_byte)
    for (const auto& [code, type] : kTypes)
      if (descr.substr(1) == code && (!one_byte || size_of(type) == 1)) return type;
  fail(ErrorKind::unsupported,
       "npy: {} holds elements of type {}; little-endian numbers and booleans can be read: convert "
       "with astype",
       path, text::quoted(descr, 20));
}

SourcePtr make(const Config& config) {
  const Config files = config.at("columns");
  const auto images = config.get<std::vector<std::string>>("images", {});
  std::vector<NpyColumn> columns;
  for (const std::string& name : files.keys())
    columns.push_back({name, files.get<std::string>(name)});
  if (columns.empty()) files.fail("there are no columns; write name: file.npy for each");
  for (const std::string& name : images) {
    NpyColumn* found = nullptr;
    for (NpyColumn& column : columns)
      if (column.name == name) found = &column;
    if (!found)
      config.at("images").fail(
          fmt::format("no column is called '{}'{}", name, text::suggestion(name, files.keys())));
    found->role = Role::image;
  }
  return npy_source(columns);
}

constexpr std::array kKeys{
    Key{"columns", "name: file.npy for each column; first sizes are equal"},
    Key{"images", "the columns that are images, so that transforms move them"}};

}  // namespace

constinit const SourceDef sources::Npy{"npy", "NumPy arrays, one file a column, mapped", kKeys,
                                       make};

Tensor map_npy(const std::string& path) {
  auto file = std::make_shared<const MappedFile>(path);
  const Header header = read_header(file->text(), path);
  const DType type = type_of(header.descr, path);
  TENON_CHECK(!header.fortran || header.shape.rank() <= 1, unsupported,
              "npy: {} is in Fortran order; save numpy.ascontiguousarray(x) instead", path);
  uint64_t need = size_of(type);
  for (const int64_t size : header.shape) {
    const auto factor = static_cast<uint64_t>(size);
    need = factor != 0 && need > UINT64_MAX / factor ? UINT64_MAX : need * factor;
  }
  TENON_CHECK(need <= file->size() - header.start, data,
              "npy: {} says {} {}, but {} bytes of elements follow; fetch the file again", path,
              name(type), header.shape.str(), file->size() - header.start);
  // Read-only pages: samples are not written, by contract. NumPy pads the header, so that elements
  // are aligned; a file that does not is copied.
  const std::byte* elements = file->data() + header.start;
  if (reinterpret_cast<uintptr_t>(elements) % size_of(type) == 0)
    return Tensor::borrow(const_cast<std::byte*>(elements), header.shape, type, [file] {});
  Tensor copy = Tensor::empty(header.shape, type);
  std::copy_n(elements, need, static_cast<std::byte*>(copy.raw()));
  return copy;
}

SourcePtr npy_source(const std::vector<NpyColumn>& columns) {
  std::vector<Column> loaded;
  std::vector<std::string> paths;
  for (const NpyColumn& column : columns) {
    loaded.push_back({column.name, map_npy(column.path), column.role});
    paths.push_back(column.path);
  }
  return tensor_source(std::move(loaded), text::join(paths, ", "));
}

}  // namespace tenon::data
