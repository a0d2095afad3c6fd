// The header of a .npy file: a magic, a version, a length, a Python dictionary as text.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace tenon::npy {

struct Header {
  enum class Text { none, bytes, ucs4 };  // strings: '|S' or '<U'

  DType type = DType::undefined;
  Text text = Text::none;
  size_t item_bytes = 0;  // of an element in the file
  bool swapped = false;   // not in this machine's byte order
  bool fortran = false;   // the first axis runs fastest
  Shape shape;
  size_t start = 0;  // of the elements
  int64_t numel = 0;
};

// Checks that the elements fill the rest of `bytes` exactly. `where` opens the errors.
Header parse_header(std::span<const std::byte> bytes, std::string_view where);

// A whole header, padded so that the elements begin at a multiple of 64. `characters` is the length
// of the strings of a string tensor.
std::string make_header(DType type, const Shape& shape, size_t characters);

}  // namespace tenon::npy
