#include "tensor/npy_header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace tenon::npy {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kAlignment = 64;
// Items of no bytes say nothing about how many may be believed.
constexpr int64_t kMaxEmptyItems = 1 << 16;

struct Kind {
  DType type;
  std::string_view code;  // as written, without the byte order
};
constexpr std::array<Kind, 15> kKinds = {{
    {DType::boolean, "b1"},
    {DType::i8, "i1"},
    {DType::i16, "i2"},
    {DType::i32, "i4"},
    {DType::i64, "i8"},
    {DType::u8, "u1"},
    {DType::u16, "u2"},
    {DType::u32, "u4"},
    {DType::u64, "u8"},
    {DType::f16, "f2"},
    {DType::f32, "f4"},
    {DType::f64, "f8"},
    {DType::c64, "c8"},
    {DType::c128, "c16"},
    {DType::bf16, "V2"},
}};

// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }: the three keys in any order.
class Reader {
 public:
  Reader(std::string_view text, std::string_view where) : text_(text), where_(where) {}

  Header read() {
    Header header;
    unsigned seen = 0;
    expect('{');
    while (!take('}')) {
      const std::string_view key = quoted();
      expect(':');
      const unsigned bit = key == "descr" ? 1 : key == "fortran_order" ? 2 : key == "shape" ? 4 : 0;
      if (bit == 0 || (seen & bit)) broken("one each of 'descr', 'fortran_order' and 'shape'");
      seen |= bit;
      if (bit == 1) read_type(header);
      if (bit == 2) header.fortran = boolean();
      if (bit == 4) header.shape = tuple();
      if (!take(',') && peek() != '}') broken("',' or '}'");
    }
    if (seen != 7) broken("all of 'descr', 'fortran_order' and 'shape'");
    skip_space();
    if (at_ < text_.size()) broken("nothing after '}'");
    return header;
  }

 private:
  [[noreturn]] void broken(std::string_view expected) const {
    fail(ErrorKind::data,
         "{}: the header {} of a .npy file needs {} at character {}; write it with numpy.save",
         where_, text::quoted(text_, 120), expected, at_ + 1);
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t'))
      ++at_;
  }
  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) broken(std::string{'\'', c, '\''});
  }
  std::string_view quoted() {
    const char mark = peek();
    if (mark != '\'' && mark != '"') broken("a quoted word");
    const size_t end = text_.find(mark, ++at_);
    if (end == std::string_view::npos) broken("a closing quote");
    const std::string_view word = text_.substr(at_, end - at_);
    at_ = end + 1;
    return word;
  }
  bool boolean() {
    skip_space();
    for (const std::string_view word : {"True", "False"}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return word == "True";
    }
    broken("True or False");
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!take(')')) {
      skip_space();
      int64_t size = -1;
      const auto [end, error] =
          std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0) broken("a size below 2^63");
      at_ = static_cast<size_t>(end - text_.data());
      take('L');  // Python 2 wrote long integers so
      shape.push_back(size);
      if (!take(',') && peek() != ')') broken("',' or ')'");
    }
    return shape;
  }

  void read_type(Header& header) {
    if (peek() == '[')
      fail(ErrorKind::unsupported,
           "{}: the elements are records; save each field as an array of its own", where_);
    const std::string_view descr = quoted();
    std::string_view code = descr;
    const bool ordered =
        !code.empty() && std::string_view("<>=|").find(code[0]) != std::string_view::npos;
    const bool big = ordered && code[0] == '>';
    const bool little = ordered && code[0] == '<';
    if (ordered) code.remove_prefix(1);
    if (code == "?") code = "b1";
    for (const Kind& kind : kKinds) {
      if (code != kind.code) continue;
      header.type = kind.type;
      header.item_bytes = size_of(kind.type);
    }
    if (header.type == DType::undefined) read_text_type(header, code);
    if (header.type == DType::undefined)
      fail(ErrorKind::unsupported,
           "{}: elements of NumPy type {} are not read; convert them to numbers, booleans or text",
           where_, text::quoted(descr));
    header.swapped = std::endian::native == std::endian::little ? big : little;
  }

  static void read_text_type(Header& header, std::string_view code) {
    if (code.size() < 2 || (code[0] != 'U' && code[0] != 'S' && code[0] != 'a')) return;
    uint32_t length = 0;
    const auto [end, error] = std::from_chars(code.data() + 1, code.data() + code.size(), length);
    if (error != std::errc() || end != code.data() + code.size()) return;
    header.type = DType::string;
    header.text = code[0] == 'U' ? Header::Text::ucs4 : Header::Text::bytes;
    header.item_bytes = size_t{length} * (code[0] == 'U' ? 4 : 1);
  }

  std::string_view text_;
  std::string_view where_;
  size_t at_ = 0;
};

uint64_t little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

Header parse_header(std::span<const std::byte> bytes, std::string_view where) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  TENON_CHECK(text.starts_with(kMagic), data,
              "{}: this is no .npy file: it does not begin with \\x93NUMPY; check the path", where);
  TENON_CHECK(text.size() >= 10, data, "{}: the .npy file ends in its header; get a complete copy",
              where);
  const int version = static_cast<unsigned char>(text[6]);
  TENON_CHECK(version >= 1 && version <= 3, unsupported,
              "{}: .npy format {}.{} is newer than 3.0; save it with an earlier format", where,
              version, static_cast<unsigned char>(text[7]));
  const size_t prefix = version == 1 ? 10 : 12;
  TENON_CHECK(text.size() >= prefix, data,
              "{}: the .npy file ends in its header; get a complete copy", where);
  const uint64_t length = little_endian(text.substr(8, prefix - 8));
  TENON_CHECK(length <= text.size() - prefix, data,
              "{}: the .npy file has {} bytes, its header alone {}; get a complete copy", where,
              text.size(), prefix + length);
  Header header = Reader(text.substr(prefix, length), where).read();
  header.start = prefix + length;

  const size_t rest = text.size() - header.start;
  uint64_t numel = header.shape.empty() || std::ranges::count(header.shape, 0) == 0;
  bool overflow = false;
  for (const int64_t size : header.shape)
    overflow |= __builtin_mul_overflow(numel, static_cast<uint64_t>(size), &numel);
  uint64_t needed = 0;
  overflow |= __builtin_mul_overflow(numel, header.item_bytes, &needed);
  overflow |= numel > static_cast<uint64_t>(INT64_MAX);
  TENON_CHECK(!overflow && needed == rest, data,
              "{}: shape {} of {}-byte elements does not match the {} bytes after the header; get "
              "a complete copy of one array",
              where, header.shape.str(), header.item_bytes, rest);
  header.numel = static_cast<int64_t>(numel);
  TENON_CHECK(header.item_bytes > 0 || header.numel <= kMaxEmptyItems, unsupported,
              "{}: shape {} holds {} strings of no characters; at most {} are read", where,
              header.shape.str(), header.numel, kMaxEmptyItems);
  return header;
}

std::string make_header(DType type, const Shape& shape, size_t characters) {
  std::string code = type == DType::string ? "U" + std::to_string(characters) : "";
  for (const Kind& kind : kKinds)
    if (kind.type == type) code = kind.code;
  const bool ordered = code.back() != '1' || type == DType::string;
  std::string sizes;
  for (const int64_t size : shape) sizes += (sizes.empty() ? "" : ", ") + std::to_string(size);
  if (shape.rank() == 1) sizes += ",";
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                 !ordered                                     ? '|'
                                 : std::endian::native == std::endian::little ? '<'
                                                                              : '>',
                                 code, sizes);
  const size_t prefix = kMagic.size() + 4;
  text.resize((prefix + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment - prefix, ' ');
  text.back() = '\n';
  std::string header(kMagic);
  header +=
      {'\1', '\0', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  return header + text;
}

}  // namespace tenon::npy
