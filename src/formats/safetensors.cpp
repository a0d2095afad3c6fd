// The header is JSON behind its length; the tensors follow it without gaps.
#include "formats/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "base/json.h"
#include "base/text.h"

namespace tenon::formats {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit
constexpr std::string_view kMetadata = "__metadata__";

struct TypeName {
  std::string_view name;
  DType type;
};
constexpr std::array kTypes{
    TypeName{"BOOL", DType::boolean},
    TypeName{"U8", DType::u8},
    TypeName{"I8", DType::i8},
    TypeName{"U16", DType::u16},
    TypeName{"I16", DType::i16},
    TypeName{"F16", DType::f16},
    TypeName{"BF16", DType::bf16},
    TypeName{"U32", DType::u32},
    TypeName{"I32", DType::i32},
    TypeName{"F32", DType::f32},
    TypeName{"U64", DType::u64},
    TypeName{"I64", DType::i64},
    TypeName{"F64", DType::f64},
    TypeName{"C64", DType::c64},
    TypeName{"F8_E4M3", DType::f8e4m3fn},
    TypeName{"F8_E5M2", DType::f8e5m2},
    TypeName{"F8_E8M0", DType::f8e8m0},
    TypeName{"F8_E4M3FNUZ", DType::f8e4m3fnuz},
    TypeName{"F8_E5M2FNUZ", DType::f8e5m2fnuz},
};
// Types of the format that Tenon has none for, or (F4, packed there) keeps otherwise.
constexpr std::array<std::string_view, 3> kForeignTypes{"F4", "F6_E2M3", "F6_E3M2"};

DType parse_type(const std::string& text, std::string_view where) {
  for (const TypeName& known : kTypes)
    if (known.name == text) return known.type;
  TENON_CHECK(std::ranges::find(kForeignTypes, text) == kForeignTypes.end(), unsupported,
              "{}: elements of type {}; Tenon has no such type", where, text);
  fail(ErrorKind::data, "{}: dtype is {}, which the format does not have; the header is damaged",
       where, text::quoted(text));
}

uint64_t load_u64(std::span<const std::byte> bytes) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

// The header's JSON. The format allows no name twice, of which the parsed document would keep the
// last, and nothing deeper than a list in an entry.
Json parse_header(std::string_view header, std::string_view where) {
  std::set<std::string> names;
  std::string repeated;
  bool deep = false;
  const auto look = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& key) {
    deep = deep || depth > 3;
    if (event == nlohmann::json::parse_event_t::key && depth == 1 && repeated.empty() &&
        !names.insert(key.get<std::string>()).second)
      repeated = key.get<std::string>();
    return depth <= 3;
  };
  try {
    Json json = nlohmann::json::parse(header, look);
    TENON_CHECK(!deep, data, "{}: its header nests deeper than the format does; it is damaged",
                where);
    TENON_CHECK(repeated.empty(), data, "{}: its header names {} twice; it is damaged", where,
                text::quoted(repeated));
    TENON_CHECK(json.is_object(), data, "{}: its header is no JSON object; it is damaged", where);
    return json;
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::data,
         "{}: its header is no JSON ({}); the file is damaged or no safetensors file", where,
         text::printable(error.what()));
  }
}

uint64_t unsigned_of(const Json& json, std::string_view what, std::string_view where) {
  TENON_CHECK(json.is_number_unsigned(), data, "{}: {} holds {}; it must be a whole number", where,
              what, text::quoted(json.dump(-1, ' ', true, Json::error_handler_t::replace)));
  return json.get<uint64_t>();
}

const Json& member(const Json& json, const char* key, Json::value_t type, std::string_view where) {
  const auto found = json.find(key);
  TENON_CHECK(found != json.end() && found->type() == type, data,
              "{}: it has no {} as the format wants it; the header is damaged", where, key);
  return *found;
}

// Offsets are relative to `base` in the header, to the file in the entry.
SafetensorsEntry parse_entry(const std::string& name, const Json& json, uint64_t base,
                             uint64_t size, std::string_view file) {
  const std::string where = fmt::format("{}: tensor {}", file, text::quoted(name));
  TENON_CHECK(json.is_object(), data, "{}: its entry is no JSON object; the header is damaged",
              where);
  SafetensorsEntry entry;
  entry.name = name;
  entry.dtype =
      parse_type(member(json, "dtype", Json::value_t::string, where).get<std::string>(), where);
  const Json& shape = member(json, "shape", Json::value_t::array, where);
  TENON_CHECK(shape.size() <= kMaxRank, unsupported, "{}: it has {} axes; Tenon takes {} at most",
              where, shape.size(), kMaxRank);
  int64_t bytes = static_cast<int64_t>(size_of(entry.dtype));
  int64_t with_zeros = bytes;  // zeros counted as one, so that strides fit as well
  for (const Json& axis : shape) {
    const uint64_t length = unsigned_of(axis, "shape", where);
    TENON_CHECK(
        length <= INT64_MAX &&
            !__builtin_mul_overflow(bytes, static_cast<int64_t>(length), &bytes) &&
            !__builtin_mul_overflow(with_zeros, std::max<int64_t>(static_cast<int64_t>(length), 1),
                                    &with_zeros),
        data,
        "{}: the sizes of its shape multiply to more than 63 bits hold; the header is damaged",
        where);
    entry.shape.push_back(static_cast<int64_t>(length));
  }
  entry.bytes = static_cast<uint64_t>(bytes);
  const Json& offsets = member(json, "data_offsets", Json::value_t::array, where);
  TENON_CHECK(offsets.size() == 2, data, "{}: data_offsets has {} numbers; it must have two", where,
              offsets.size());
  const uint64_t begin = unsigned_of(offsets[0], "data_offsets", where);
  const uint64_t end = unsigned_of(offsets[1], "data_offsets", where);
  TENON_CHECK(begin <= end && end <= size, data,
              "{}: its data lies from {} to {}, but the file has {} bytes of data; it is truncated "
              "or damaged",
              where, begin, end, size);
  TENON_CHECK(end - begin == entry.bytes, data,
              "{}: its data is {} bytes, but {}{} takes {}; the header is damaged", where,
              end - begin, tenon::name(entry.dtype), entry.shape.str(), entry.bytes);
  entry.offset = base + begin;
  return entry;
}

std::map<std::string, std::string> parse_metadata(const Json& json, std::string_view where) {
  TENON_CHECK(json.is_object(), data, "{}: {} is no JSON object; the header is damaged", where,
              kMetadata);
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : json.items()) {
    TENON_CHECK(value.is_string(), data, "{}: metadata {} is no string; the header is damaged",
                where, text::quoted(key));
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

// Tensors must fill the data from first to last byte, one behind the other.
void check_cover(const std::vector<SafetensorsEntry>& entries, uint64_t base, uint64_t file_bytes,
                 std::string_view where) {
  uint64_t at = base;
  for (const SafetensorsEntry& entry : entries) {
    TENON_CHECK(entry.offset == at, data,
                "{}: tensor {} begins at byte {}, but the one before it ends at {}; {}", where,
                text::quoted(entry.name), entry.offset, at,
                entry.offset < at ? "tensors must not overlap" : "there must be no gaps");
    at += entry.bytes;
  }
  TENON_CHECK(at == file_bytes, data,
              "{}: its tensors end at byte {}, but the file has {}; it is damaged", where, at,
              file_bytes);
}

Tensor copy_of(const std::byte* from, const SafetensorsEntry& entry) {
  Tensor tensor = Tensor::empty(entry.shape, entry.dtype);
  if (entry.dtype == DType::boolean) {  // any byte but 0 is true; a bool must hold 0 or 1
    for (int64_t i = 0; i < tensor.numel(); ++i) tensor.data<bool>()[i] = from[i] != std::byte{0};
  } else if (entry.bytes) {
    std::memcpy(tensor.raw(), from, entry.bytes);
  }
  return tensor;
}

std::string_view type_name(DType type, const std::string& tensor) {
  for (const TypeName& known : kTypes)
    if (known.type == type) return known.name;
  fail(ErrorKind::unsupported, "safetensors: tensor {} is of {}; the format has no such type",
       text::quoted(tensor), name(type));
}

}  // namespace

SafetensorsHeader read_safetensors_header(std::span<const std::byte> file, std::string_view where) {
  TENON_CHECK(file.size() >= 8, data,
              "{}: {} bytes are too few for a safetensors file; it is truncated", where,
              file.size());
  const uint64_t length = load_u64(file);
  TENON_CHECK(length >= 2 && length <= kMaxHeaderBytes, data,
              "{}: its header is said to be {} bytes long; this is no safetensors file", where,
              length);
  TENON_CHECK(length <= file.size() - 8, data,
              "{}: its header is said to be {} bytes long, but only {} follow; it is truncated",
              where, length, file.size() - 8);
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + 8,
                              static_cast<size_t>(length));
  TENON_CHECK(text[0] == '{', data,
              "{}: its header does not begin with a brace; this is no safetensors file", where);
  const Json json = parse_header(text, where);

  SafetensorsHeader header;
  const uint64_t base = 8 + length;
  for (const auto& [name, value] : json.items()) {
    if (name == kMetadata) {
      header.metadata = parse_metadata(value, where);
    } else {
      header.entries.push_back(parse_entry(name, value, base, file.size() - base, where));
    }
  }
  std::ranges::sort(header.entries, {}, [](const SafetensorsEntry& e) {
    return std::tuple(e.offset, e.bytes, std::string_view(e.name));
  });
  check_cover(header.entries, base, file.size(), where);
  return header;
}

SafetensorsFile::SafetensorsFile(const std::string& path)
    : file_(std::make_shared<const MappedFile>(path)),
      header_(read_safetensors_header(file_->bytes(), path)) {}

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  const auto found = std::ranges::find(header_.entries, name, &SafetensorsEntry::name);
  return found == header_.entries.end() ? nullptr : &*found;
}

const SafetensorsEntry& SafetensorsFile::entry(std::string_view name) const {
  if (const SafetensorsEntry* found = find(name)) return *found;
  std::vector<std::string_view> names;
  for (const SafetensorsEntry& known : header_.entries) names.push_back(known.name);
  fail(ErrorKind::data, "{}: no tensor is named {}{}", file_->path(), text::quoted(name),
       text::suggestion(name, names));
}

Tensor SafetensorsFile::read(std::string_view name) const {
  const SafetensorsEntry& found = entry(name);
  return copy_of(file_->data() + found.offset, found);
}

Tensor SafetensorsFile::view(std::string_view name) const {
  const SafetensorsEntry& found = entry(name);
  const std::byte* from = file_->data() + found.offset;
  if (!found.bytes || found.dtype == DType::boolean ||
      reinterpret_cast<uintptr_t>(from) % size_of(found.dtype) != 0)
    return copy_of(from, found);
  return Tensor::borrow(const_cast<std::byte*>(from), found.shape, found.dtype, [file = file_] {});
}

NamedTensorList read_safetensors(const std::string& path) {
  const SafetensorsFile file(path);
  NamedTensorList list;
  for (const SafetensorsEntry& entry : file.entries())
    list.emplace_back(entry.name, file.read(entry.name));
  return list;
}

void write_safetensors(const std::string& path, const NamedTensorList& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const std::pair<std::string, Tensor>*> order;
  for (const auto& tensor : tensors) order.push_back(&tensor);
  std::ranges::stable_sort(order, [](const auto* a, const auto* b) {
    const size_t left = size_of(a->second.dtype()), right = size_of(b->second.dtype());
    return left != right ? left > right : a->first < b->first;
  });

  Json json = Json::object();
  for (const auto& [key, value] : metadata) {
    TENON_CHECK(text::is_utf8(key) && text::is_utf8(value), usage,
                "safetensors: metadata {} is not UTF-8; give text", text::quoted(key));
    json[kMetadata][key] = value;
  }
  uint64_t at = 0;
  for (const auto* tensor : order) {
    const std::string& name = tensor->first;
    TENON_CHECK(!name.empty() && name != kMetadata && text::is_utf8(name), usage,
                "safetensors: a tensor is named {}; give it another name", text::quoted(name));
    TENON_CHECK(!json.contains(name), usage,
                "safetensors: two tensors are named {}; names must differ", text::quoted(name));
    const uint64_t bytes = tensor->second.bytes();
    json[name] = {{"dtype", type_name(tensor->second.dtype(), name)},
                  {"shape", tensor->second.shape().vector()},
                  {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  std::string header = json.dump();
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const uint64_t length = header.size();
  TENON_CHECK(length <= kMaxHeaderBytes, unsupported,
              "safetensors: the header takes {}; the format allows {}", text::human_bytes(length),
              text::human_bytes(kMaxHeaderBytes));

  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (const auto* tensor : order) {
    const Tensor whole = tensor->second.contiguous();
    if (whole.bytes()) file.write({static_cast<const std::byte*>(whole.raw()), whole.bytes()});
  }
  file.commit();
}

}  // namespace tenon::formats
