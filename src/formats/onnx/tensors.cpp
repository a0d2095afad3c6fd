// TensorProto to Tensor and back (https://onnx.ai/onnx/repo-docs/IR.html, onnx.proto).
#include "formats/onnx/tensors.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/text.h"

namespace tenon::formats {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

namespace {

constexpr uint64_t kMaxSparseBytes = uint64_t{1} << 30;

// Elements that share a byte of a file, the first in the lowest bits; in memory each has its own.
uint64_t elements_a_byte(DType type) {
  switch (type) {
    case DType::u4:
    case DType::i4:
    case DType::f4e2m1: return 2;
    case DType::u2:
    case DType::i2: return 4;
    default: return 1;
  }
}

// Bytes of the elements as raw data and external data hold them.
uint64_t bytes_in_file(const Shape& shape, DType type) {
  const auto count = static_cast<uint64_t>(shape.numel());
  const uint64_t shared = elements_a_byte(type);
  return count * size_of(type) / shared + (count * size_of(type) % shared ? 1 : 0);
}

// `byte(i)` is the i-th byte of the file's; elements get their bits, the others are zero.
template <class ByteAt>
void unpack(const ByteAt& byte, DType type, int64_t count, void* out) {
  const auto shared = static_cast<int64_t>(elements_a_byte(type));
  const int64_t bits = 8 / shared;
  auto* to = static_cast<uint8_t*>(out);
  for (int64_t i = 0; i < count; ++i)
    to[i] = static_cast<uint8_t>(byte(i / shared) >> (i % shared * bits) & ((1 << bits) - 1));
}

std::string pack(const Tensor& tensor) {
  const auto shared = static_cast<int64_t>(elements_a_byte(tensor.dtype()));
  const int64_t bits = 8 / shared;
  std::string bytes(bytes_in_file(tensor.shape(), tensor.dtype()), '\0');
  const auto* from = static_cast<const uint8_t*>(tensor.raw());
  for (int64_t i = 0; i < tensor.numel(); ++i)
    bytes[static_cast<size_t>(i / shared)] |=
        static_cast<char>((from[i] & ((1 << bits) - 1)) << (i % shared * bits));
  return bytes;
}

// The shape, with a number of elements whose bytes fit 63 bits.
Shape read_shape(const google::protobuf::RepeatedField<int64_t>& dims, DType type,
                 std::string_view where) {
  TENON_CHECK(static_cast<size_t>(dims.size()) <= kMaxRank, unsupported,
              "{}: the tensor has {} axes; Tenon takes {} at most", where, dims.size(), kMaxRank);
  Shape shape;
  for (int64_t size : dims) {
    TENON_CHECK(size >= 0, data, "{}: an axis of size {}; sizes must not be negative", where, size);
    shape.push_back(size);
  }
  // Zeros count as one here, so that the strides of an empty tensor fit as well.
  int64_t bytes = static_cast<int64_t>(size_of(type));
  for (int64_t size : shape)
    TENON_CHECK(!__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes), data,
                "{}: the sizes {} multiply to more than 63 bits can hold; the file is damaged",
                where, shape.str());
  return shape;
}

void check_count(std::string_view where, std::string_view field, uint64_t found, uint64_t wanted,
                 const Shape& shape, DType type) {
  TENON_CHECK(found == wanted, data,
              "{}: {} holds {} values, but {}{} takes {}; the file is damaged or truncated", where,
              field, found, name(type), shape.str(), wanted);
}

template <class To, class Field>
void convert(const Field& field, void* out) {
  To* to = static_cast<To*>(out);
  for (auto value : field) *to++ = static_cast<To>(value);
}

void read_int32_data(const ::onnx::TensorProto& proto, DType type, int64_t count, void* out) {
  const auto& field = proto.int32_data();
  if (elements_a_byte(type) > 1)
    return unpack([&](int64_t i) { return static_cast<uint8_t>(field[static_cast<int>(i)]); }, type,
                  count, out);
  if (kStored.has(type)) return convert<uint8_t>(field, out);
  switch (type) {
    case DType::i32: return convert<int32_t>(field, out);
    case DType::i16: return convert<int16_t>(field, out);
    case DType::i8: return convert<int8_t>(field, out);
    case DType::u8: return convert<uint8_t>(field, out);
    case DType::boolean: {
      for (bool* to = static_cast<bool*>(out); int32_t value : field) *to++ = value != 0;
      return;
    }
    default: return convert<uint16_t>(field, out);  // u16, and the bits of f16 and bf16
  }
}

// The typed field that holds a type's values, and how many entries an element takes.
struct Field {
  std::string_view name;
  int size;
  uint64_t per_element;
};

Field field_of(const ::onnx::TensorProto& proto, DType type) {
  switch (type) {
    case DType::f32: return {"float_data", proto.float_data_size(), 1};
    case DType::c64: return {"float_data", proto.float_data_size(), 2};
    case DType::f64: return {"double_data", proto.double_data_size(), 1};
    case DType::c128: return {"double_data", proto.double_data_size(), 2};
    case DType::i64: return {"int64_data", proto.int64_data_size(), 1};
    case DType::u32:
    case DType::u64: return {"uint64_data", proto.uint64_data_size(), 1};
    case DType::string: return {"string_data", proto.string_data_size(), 1};
    default: return {"int32_data", proto.int32_data_size(), 1};
  }
}

Tensor read_typed(const ::onnx::TensorProto& proto, DType type, const Shape& shape,
                  std::string_view where) {
  const Field field = field_of(proto, type);
  const uint64_t wanted = elements_a_byte(type) > 1
                              ? bytes_in_file(shape, type)
                              : static_cast<uint64_t>(shape.numel()) * field.per_element;
  check_count(where, field.name, static_cast<uint64_t>(field.size), wanted, shape, type);
  Tensor tensor = Tensor::empty(shape, type);
  if (!wanted) return tensor;
  void* out = tensor.raw();
  switch (type) {
    case DType::f32:
    case DType::c64: convert<float>(proto.float_data(), out); break;
    case DType::f64:
    case DType::c128: convert<double>(proto.double_data(), out); break;
    case DType::i64: convert<int64_t>(proto.int64_data(), out); break;
    case DType::u32: convert<uint32_t>(proto.uint64_data(), out); break;
    case DType::u64: convert<uint64_t>(proto.uint64_data(), out); break;
    case DType::string: convert<std::string>(proto.string_data(), out); break;
    default: read_int32_data(proto, type, shape.numel(), out);
  }
  return tensor;
}

Tensor copy_of(const void* bytes, const Shape& shape, DType type) {
  Tensor tensor = Tensor::empty(shape, type);
  if (!tensor.bytes()) return tensor;
  if (elements_a_byte(type) > 1) {
    const auto* from = static_cast<const uint8_t*>(bytes);
    unpack([&](int64_t i) { return from[i]; }, type, tensor.numel(), tensor.raw());
  } else if (type == DType::boolean) {  // any byte but 0 is true; a bool must hold 0 or 1
    const auto* from = static_cast<const unsigned char*>(bytes);
    for (int64_t i = 0; i < tensor.numel(); ++i) tensor.data<bool>()[i] = from[i] != 0;
  } else {
    std::memcpy(tensor.raw(), bytes, tensor.bytes());
  }
  return tensor;
}

uint64_t parse_entry(const std::string& text, std::string_view key, std::string_view where) {
  const auto number = text::parse_number<uint64_t>(text);
  TENON_CHECK(number, data, "{}: {} of its external data is {}; it must be a whole number", where,
              key, text::quoted(text));
  return *number;
}

Tensor read_external(const ::onnx::TensorProto& proto, DType type, const Shape& shape,
                     ExternalData& external, std::string_view where, bool copy) {
  TENON_CHECK(type != DType::string, data,
              "{}: strings cannot be external data; keep them in the model", where);
  std::string location;
  uint64_t offset = 0;
  const uint64_t wanted = bytes_in_file(shape, type);
  uint64_t length = wanted;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = parse_entry(entry.value(), "offset", where);
    if (entry.key() == "length") length = parse_entry(entry.value(), "length", where);
  }
  TENON_CHECK(length == wanted, data,
              "{}: its external data is {} bytes, but {}{} takes {}; the file is damaged", where,
              length, name(type), shape.str(), wanted);
  ExternalData::Range range = external.find(location, offset, length, where);
  const auto address = reinterpret_cast<uintptr_t>(range.bytes.data());
  if (copy || wanted == 0 || type == DType::boolean || elements_a_byte(type) > 1 ||
      address % std::min<size_t>(size_of(type), 8) != 0)
    return copy_of(range.bytes.data(), shape, type);
  // Nothing writes to constants, so the mapped bytes may serve as they are.
  void* shown = const_cast<std::byte*>(range.bytes.data());
  return Tensor::borrow(shown, shape, type, [owner = std::move(range.owner)] {});
}

// Links may lead out of the folder as well as names.
void check_inside(const std::string& folder, const std::filesystem::path& path,
                  std::string_view where) {
  std::error_code error;
  const auto root = std::filesystem::canonical(folder, error);
  if (error) return;  // mapping the file will say why
  const auto real = std::filesystem::canonical(root / path, error);
  if (error) return;
  const auto [at, ignored] = std::mismatch(root.begin(), root.end(), real.begin(), real.end());
  TENON_CHECK(
      at == root.end(), data,
      "{}: its data is said to lie in {}, a link that leads out of the model's folder; such "
      "files are not read: copy the file there",
      where, text::quoted(path.string()));
}

}  // namespace

ExternalData::Range ExternalData::find(const std::string& location, uint64_t offset, uint64_t bytes,
                                       std::string_view where) {
  if (section_) {
    const uint64_t size = section_->bytes.size();
    TENON_CHECK(offset <= size && bytes <= size - offset, data,
                "{}: its data is said to lie in bytes {} to {} of {}; the file is damaged", where,
                offset, offset + bytes, size);
    return {section_->owner, section_->bytes.subspan(offset, bytes)};
  }
  TENON_CHECK(!folder_.empty(), unsupported,
              "{}: its data lies in the file {}, which a model without a folder cannot name; "
              "import it by path",
              where, text::quoted(location));
  const std::filesystem::path path(location);
  bool inside = !location.empty() && path.is_relative() && location.find('\0') == std::string::npos;
  for (const auto& part : path) inside = inside && part != "..";
  TENON_CHECK(
      inside, data,
      "{}: its data is said to lie in {}, outside the model's folder; such files are not read",
      where, text::quoted(location));
  auto& file = files_[location];
  if (!file) {
    check_inside(folder_, path, where);
    file = with_context([&] { return fmt::format("while reading the data of {}", where); },
                        [&] {
                          return std::make_shared<const MappedFile>(
                              (std::filesystem::path(folder_) / path).string());
                        });
  }
  return {file, file->bytes(offset, bytes)};
}

std::string data_type_name(int data_type) {
  if (data_type >= 0 && data_type < kTensorTypeCount)
    return std::string(onnx_name(static_cast<DType>(data_type)));
  return fmt::format("number {}", data_type);
}

DType dtype_of_file(int data_type, std::string_view where) {
  TENON_CHECK(data_type != 0, data, "{}: it does not say its element type; the file is damaged",
              where);
  TENON_CHECK(data_type > 0 && data_type < kTensorTypeCount, unsupported,
              "{}: elements of type {}; Tenon takes ONNX's types up to INT2", where,
              data_type_name(data_type));
  return static_cast<DType>(data_type);
}

Tensor read_tensor(const ::onnx::TensorProto& proto, ExternalData& external, std::string_view where,
                   bool copy, std::span<const std::byte> raw) {
  const DType type = dtype_of_file(proto.data_type(), where);
  TENON_CHECK(!proto.has_segment(), unsupported, "{}: it is stored in segments; save it whole",
              where);
  const Shape shape = read_shape(proto.dims(), type, where);
  if (proto.data_location() == ::onnx::TensorProto::EXTERNAL)
    return read_external(proto, type, shape, external, where, copy);
  if (!proto.has_raw_data()) return read_typed(proto, type, shape, where);
  TENON_CHECK(type != DType::string, data, "{}: strings cannot be raw data; the file is damaged",
              where);
  if (raw.empty()) raw = std::as_bytes(std::span(proto.raw_data()));
  const uint64_t wanted = bytes_in_file(shape, type);
  TENON_CHECK(raw.size() == wanted, data,
              "{}: raw_data holds {} bytes, but {}{} takes {}; the file is damaged or truncated",
              where, raw.size(), name(type), shape.str(), wanted);
  return copy_of(raw.data(), shape, type);
}

Tensor read_sparse_tensor(const ::onnx::SparseTensorProto& proto, ExternalData& external,
                          std::string_view where) {
  const Tensor values = read_tensor(proto.values(), external, where);
  const DType type = values.dtype();
  TENON_CHECK(kNumeric.has(type) || type == DType::boolean, unsupported,
              "{}: a sparse tensor of {}; only numbers can be sparse here", where, name(type));
  const Shape shape = read_shape(proto.dims(), type, where);
  const uint64_t bytes = static_cast<uint64_t>(shape.numel()) * size_of(type);
  TENON_CHECK(bytes <= kMaxSparseBytes, unsupported,
              "{}: its dense form takes {}; at most {} are made", where, text::human_bytes(bytes),
              text::human_bytes(kMaxSparseBytes));
  const Tensor indices = read_tensor(proto.indices(), external, where);
  const int64_t count = values.numel();
  const auto rank = static_cast<int64_t>(shape.rank());
  const bool linear =
      indices.dtype() == DType::i64 && indices.rank() == 1 && indices.size(0) == count;
  const bool coordinates = indices.dtype() == DType::i64 && indices.rank() == 2 &&
                           indices.size(0) == count && indices.size(1) == rank;
  TENON_CHECK(values.rank() == 1 && (linear || coordinates), data,
              "{}: {} sparse values with indices {}{}; they must be i64[{}] or i64[{}, {}]", where,
              count, name(indices.dtype()), indices.shape().str(), count, count, rank);

  Tensor dense = Tensor::zeros(shape, type);
  const auto* index = indices.data<int64_t>();
  const auto* from = static_cast<const std::byte*>(values.raw());
  auto* to = static_cast<std::byte*>(dense.raw());
  const size_t size = size_of(type);
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = linear ? *index++ : 0;
    bool inside = at >= 0 && at < dense.numel();
    for (int64_t axis = 0; !linear && axis < rank; ++axis) {
      const int64_t position = *index++;
      inside = inside && position >= 0 && position < shape[static_cast<size_t>(axis)];
      if (inside) at = at * shape[static_cast<size_t>(axis)] + position;
    }
    TENON_CHECK(inside, data, "{}: sparse value {} lies outside {}; the file is damaged", where, i,
                shape.str());
    std::memcpy(to + static_cast<size_t>(at) * size, from + static_cast<size_t>(i) * size, size);
  }
  return dense;
}

void write_tensor(const Tensor& tensor, ::onnx::TensorProto& proto) {
  proto.set_data_type(static_cast<int32_t>(tensor.dtype()));
  for (int64_t size : tensor.shape()) proto.add_dims(size);
  const Tensor whole = tensor.contiguous();
  if (tensor.dtype() == DType::string) {
    for (const std::string& text : whole.to_vector<std::string>()) proto.add_string_data(text);
  } else if (elements_a_byte(tensor.dtype()) > 1) {
    proto.set_raw_data(pack(whole));
  } else {
    proto.set_raw_data(whole.bytes() ? whole.raw() : "", whole.bytes());
  }
}

}  // namespace tenon::formats
