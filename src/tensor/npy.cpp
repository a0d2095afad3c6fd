#include "tensor/npy.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"
#include "tensor/npy_header.h"

namespace tenon::npy {
namespace {

Shape reversed(const Shape& shape) {
  Shape out = shape;
  std::reverse(out.begin(), out.end());
  return out;
}

// Strides of the elements as they lie in the file.
Shape file_strides(const Header& header) {
  return header.fortran ? reversed(reversed(header.shape).row_major_strides())
                        : header.shape.row_major_strides();
}

// Complex numbers are two to swap.
void swap_bytes(Tensor& tensor) {
  const bool complex = tensor.dtype() == DType::c64 || tensor.dtype() == DType::c128;
  const size_t width = size_of(tensor.dtype()) / (complex ? 2 : 1);
  auto* bytes = static_cast<std::byte*>(tensor.raw());
  for (size_t i = 0; i < tensor.bytes(); i += width) std::reverse(bytes + i, bytes + i + width);
}

void append_utf8(std::string& text, uint32_t c) {
  const auto put = [&](uint32_t byte) { text += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

std::string decode_text(std::string_view item, const Header& header, std::string_view where) {
  if (header.text == Header::Text::bytes) {
    const size_t last = item.find_last_not_of('\0');
    return std::string(item.substr(0, last == std::string_view::npos ? 0 : last + 1));
  }
  std::string text;
  size_t kept = 0;  // zeros at the end are padding
  for (size_t i = 0; i < item.size(); i += 4) {
    uint32_t c = 0;
    std::memcpy(&c, item.data() + i, 4);
    if (header.swapped) c = __builtin_bswap32(c);
    TENON_CHECK(c < 0x110000 && (c < 0xd800 || c >= 0xe000), data,
                "{}: a string holds {:#x}, which is no Unicode character; get an intact copy",
                where, c);
    append_utf8(text, c);
    if (c != 0) kept = text.size();
  }
  text.resize(kept);
  return text;
}

Tensor read_strings(std::span<const std::byte> bytes, const Header& header,
                    std::string_view where) {
  Tensor tensor =
      Tensor::empty(header.fortran ? reversed(header.shape) : header.shape, DType::string);
  auto* strings = tensor.data<std::string>();
  const auto* first = reinterpret_cast<const char*>(bytes.data()) + header.start;
  for (int64_t i = 0; i < header.numel; ++i)
    strings[i] = decode_text(
        {first + static_cast<size_t>(i) * header.item_bytes, header.item_bytes}, header, where);
  if (!header.fortran) return tensor;
  Shape order = header.shape;
  for (size_t i = 0; i < order.rank(); ++i) order[i] = static_cast<int64_t>(order.rank() - 1 - i);
  return tensor.permute(order).contiguous();
}

// Over memory that is only read.
Tensor view(const std::byte* start, const Header& header, std::function<void()> on_release) {
  const size_t bytes = static_cast<size_t>(header.numel) * header.item_bytes;
  return Tensor::over(
      make_ref<Storage>(cpu_device(), const_cast<std::byte*>(start), bytes, std::move(on_release)),
      0, header.shape, file_strides(header), header.type);
}

Tensor read_elements(std::span<const std::byte> bytes, const Header& header,
                     std::string_view where) {
  if (header.type == DType::string) return read_strings(bytes, header, where);
  Tensor tensor = view(bytes.data() + header.start, header, {}).clone();
  if (header.swapped) swap_bytes(tensor);
  if (header.type == DType::boolean) {  // C++ knows no other bytes than 0 and 1
    auto* flags = static_cast<uint8_t*>(tensor.raw());
    std::transform(flags, flags + tensor.numel(), flags,
                   [](uint8_t byte) { return uint8_t{byte != 0}; });
  }
  return tensor;
}

// The elements as the file holds them, from strings of a fixed number of characters.
std::string encode_strings(const Tensor& tensor, size_t characters) {
  std::string out;
  size_t bytes = 0;
  TENON_CHECK(
      !__builtin_mul_overflow(static_cast<size_t>(tensor.numel()), characters * 4, &bytes) &&
          bytes < SIZE_MAX / 2,
      resource,
      "npy: {} strings of up to {} characters are too large for .npy, which pads all to one "
      "length; "
      "save them as text",
      tensor.numel(), characters);
  out.reserve(bytes);
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    const std::string& text = tensor.data<std::string>()[i];
    const size_t end = out.size() + characters * 4;
    for (size_t at = 0; at < text.size();) {
      const CodePoint point = decode_utf8(text, at);
      const auto value = static_cast<uint32_t>(point.value);
      out.append(reinterpret_cast<const char*>(&value), 4);
      at += static_cast<size_t>(point.bytes);
    }
    out.resize(end);
  }
  return out;
}

size_t characters_of(const std::string& text) {
  TENON_CHECK(
      !text.ends_with('\0') && text::is_utf8(text), usage,
      "npy: the string {} is not UTF-8 or ends in a zero, which .npy cannot hold; clean it first",
      text::quoted(text));
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

// Calls `put` with the header and with the elements.
template <class Put>
void encode_to(const Tensor& tensor, Put&& put) {
  TENON_CHECK(tensor.defined() && !tensor.is_symbolic(), usage,
              "npy: the tensor holds no elements; give one that does");
  TENON_CHECK(!kStored.has(tensor.dtype()) && !is_container(tensor.dtype()), unsupported,
              "npy: elements of type {} have no type in .npy files; convert them with to() first",
              name(tensor.dtype()));
  const Tensor rows = tensor.contiguous();
  if (rows.dtype() != DType::string) {
    put(make_header(rows.dtype(), rows.shape(), 0));
    put(std::string_view(static_cast<const char*>(rows.raw()), rows.bytes()));
    return;
  }
  size_t characters = 1;  // NumPy has no strings of length 0
  for (int64_t i = 0; i < rows.numel(); ++i)
    characters = std::max(characters, characters_of(rows.data<std::string>()[i]));
  put(make_header(DType::string, rows.shape(), characters));
  put(encode_strings(rows, characters));
}

}  // namespace

Tensor read(std::span<const std::byte> bytes, std::string_view where) {
  return read_elements(bytes, parse_header(bytes, where), where);
}

Tensor read_file(const std::string& path) {
  const MappedFile file(path, MappedFile::Access::sequential);
  return read(file.bytes(), path);
}

Tensor map_file(const std::string& path) {
  auto file = std::make_shared<MappedFile>(path);
  const Header header = parse_header(file->bytes(), path);
  const std::byte* start = file->data() + header.start;
  const bool aligned =
      header.item_bytes != 0 && reinterpret_cast<uintptr_t>(start) % header.item_bytes == 0;
  if (header.type == DType::string || header.type == DType::boolean || header.swapped || !aligned ||
      header.numel == 0)
    return read_elements(file->bytes(), header, path);
  return view(start, header, [file] {});
}

std::string encode(const Tensor& tensor) {
  std::string out;
  encode_to(tensor, [&](std::string_view part) { out += part; });
  return out;
}

void write_file(const std::string& path, const Tensor& tensor) {
  AtomicFile file(path);
  encode_to(tensor, [&](std::string_view part) { file.write(part); });
  file.commit();
}

}  // namespace tenon::npy
