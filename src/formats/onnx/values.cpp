#include "formats/onnx/values.h"

#include <onnx/onnx-data_pb.h>

#include "formats/onnx/tensors.h"

namespace tenon::formats {

namespace {

template <class Proto>
Proto parse(const std::string& bytes, std::string_view what, std::string_view where) {
  Proto proto;
  TENON_CHECK(proto.ParseFromString(bytes), data, "{}: this is no {}; the file is damaged", where,
              what);
  return proto;
}

Tensor read_tensor_value(const ::onnx::TensorProto& proto, std::string_view where) {
  ExternalData none;
  return read_tensor(proto, none, where);
}

Tensor read_sequence(const ::onnx::SequenceProto& proto, std::string_view where);

Tensor read_map(const ::onnx::MapProto& proto, std::string_view where) {
  std::vector<std::string> names(proto.string_keys().begin(), proto.string_keys().end());
  const std::vector<int64_t> numbers(proto.keys().begin(), proto.keys().end());
  const Tensor keys = names.empty() ? Tensor::ints(std::span<const int64_t>(numbers))
                                    : Tensor::strings(names, {static_cast<int64_t>(names.size())});
  const Tensor values = read_sequence(proto.values(), where);
  const auto parts = values.elements();
  TENON_CHECK(static_cast<int64_t>(parts.size()) == keys.numel() || parts.size() == 1, data,
              "{}: a map of {} keys and {} values; the file is damaged", where, keys.numel(),
              parts.size());
  if (parts.size() == 1 && parts[0].rank() == 1) return Tensor::map(keys, parts[0]);
  Tensor joined = Tensor::empty({keys.numel()}, parts.empty() ? DType::f32 : parts[0].dtype());
  for (size_t i = 0; i < parts.size(); ++i) {
    TENON_CHECK(parts[i].numel() == 1, data,
                "{}: a map's value has shape {}; Tenon reads single numbers", where,
                parts[i].shape().str());
    joined.select(0, static_cast<int64_t>(i)).copy_from(parts[i].reshape({}));
  }
  return Tensor::map(keys, joined);
}

Tensor read_sequence(const ::onnx::SequenceProto& proto, std::string_view where) {
  TensorList elements;
  for (const auto& tensor : proto.tensor_values())
    elements.push_back(read_tensor_value(tensor, where));
  for (const auto& inner : proto.sequence_values()) elements.push_back(read_sequence(inner, where));
  for (const auto& map : proto.map_values()) elements.push_back(read_map(map, where));
  TENON_CHECK(proto.sparse_tensor_values_size() == 0, unsupported,
              "{}: a sequence of sparse tensors; Tenon has none", where);
  return Tensor::sequence(elements);
}

Tensor read_optional(const ::onnx::OptionalProto& proto, std::string_view where) {
  if (proto.has_tensor_value())
    return Tensor::optional(read_tensor_value(proto.tensor_value(), where));
  if (proto.has_sequence_value())
    return Tensor::optional(read_sequence(proto.sequence_value(), where));
  if (proto.has_map_value()) return Tensor::optional(read_map(proto.map_value(), where));
  if (proto.has_optional_value())
    return Tensor::optional(read_optional(proto.optional_value(), where));
  return Tensor::optional();
}

}  // namespace

Tensor read_value(const std::string& bytes, DType type, std::string_view where) {
  switch (type) {
    case DType::sequence:
      return read_sequence(parse<::onnx::SequenceProto>(bytes, "SequenceProto", where), where);
    case DType::optional:
      return read_optional(parse<::onnx::OptionalProto>(bytes, "OptionalProto", where), where);
    case DType::map: return read_map(parse<::onnx::MapProto>(bytes, "MapProto", where), where);
    default:
      return read_tensor_value(parse<::onnx::TensorProto>(bytes, "TensorProto", where), where);
  }
}

}  // namespace tenon::formats
