#include "formats/onnx/types.h"

#include <onnx/onnx_pb.h>

#include "formats/onnx/tensors.h"
#include "ops/ml/maps.h"

namespace tenon::formats {

namespace {

constexpr int kMaxDepth = 8;  // sequences of sequences

// A dim_param: what export wrote ("2*seq+1"), or any text at all, which is a name then. 0 for the
// texts by which exporters say that they know nothing, which must not tie axes together.
Dim named_size(const std::string& text) {
  for (std::string_view nothing : {"?", "-1", "None", "none", "unk", "unknown"})
    if (text == nothing) return 0;
  try {
    const Dim dim = Dim::parse(text);
    if (!dim.is_const() && !dim.is_unknown()) return dim;
  } catch (const Error&) {
    // No formula: a name.
  }
  return Dim::symbol(text);
}

Dims read_dims(const ::onnx::TensorShapeProto& shape, const std::string& name,
               std::string_view where, const Dim::Bindings& sizes) {
  TENON_CHECK(static_cast<size_t>(shape.dim_size()) <= kMaxRank, unsupported,
              "{}: it has {} axes; Tenon takes {} at most", where, shape.dim_size(), kMaxRank);
  Dims dims;
  for (int axis = 0; axis < shape.dim_size(); ++axis) {
    const auto& dim = shape.dim(axis);
    if (dim.has_dim_value() && dim.dim_value() >= 0) {
      dims.emplace_back(dim.dim_value());
      continue;
    }
    Dim size = dim.dim_param().empty() ? Dim() : named_size(dim.dim_param());
    if (size.is_const())
      size = name.empty() ? Dim::unknown() : Dim::symbol(fmt::format("{}.{}", name, axis));
    if (const auto given = size.eval(sizes)) size = Dim(*given);
    dims.push_back(std::move(size));
  }
  return dims;
}

TensorType read(const ::onnx::TypeProto& proto, const std::string& name, std::string_view where,
                const Dim::Bindings& sizes, int depth) {
  TENON_CHECK(depth < kMaxDepth, unsupported, "{}: its type is nested more than {} deep", where,
              kMaxDepth);
  // What a container holds may be left open.
  const auto inside = [&](const ::onnx::TypeProto& element) {
    return element.value_case() == ::onnx::TypeProto::VALUE_NOT_SET
               ? TensorType()
               : read(element, {}, where, sizes, depth + 1);
  };
  switch (proto.value_case()) {
    case ::onnx::TypeProto::kTensorType: {
      TensorType type;
      type.dtype = dtype_of_file(proto.tensor_type().elem_type(), where);
      type.ranked = proto.tensor_type().has_shape();
      if (type.ranked) type.dims = read_dims(proto.tensor_type().shape(), name, where, sizes);
      return type;
    }
    case ::onnx::TypeProto::kSequenceType:
      return TensorType::sequence_of(inside(proto.sequence_type().elem_type()));
    case ::onnx::TypeProto::kOptionalType:
      return TensorType::optional_of(inside(proto.optional_type().elem_type()));
    case ::onnx::TypeProto::kMapType: {
      TensorType values = read(proto.map_type().value_type(), {}, where, sizes, depth + 1);
      values.ranked = true;  // one value a key, behind each other
      values.dims = {Dim::unknown()};
      return maps::map_type(dtype_of_file(proto.map_type().key_type(), where), std::move(values));
    }
    default:
      fail(ErrorKind::unsupported,
           "{}: it is of kind {}; Tenon has tensors, sequences, optionals and maps", where,
           kind_of_type(proto));
  }
}

}  // namespace

TensorType read_type(const ::onnx::TypeProto& proto, const std::string& name,
                     std::string_view where, const Dim::Bindings& sizes) {
  return read(proto, name, where, sizes, 0);
}

void write_type(const TensorType& type, ::onnx::TypeProto& proto) {
  if (type.dtype == DType::sequence || type.dtype == DType::optional) {
    auto& element = type.dtype == DType::sequence
                        ? *proto.mutable_sequence_type()->mutable_elem_type()
                        : *proto.mutable_optional_type()->mutable_elem_type();
    if (type.element) write_type(*type.element, element);
    return;
  }
  if (type.dtype == DType::map) {
    const DType keys = maps::key_type(type), values = maps::value_type(type);
    TENON_CHECK(keys != DType::undefined && !is_container(values), unsupported,
                "export: a value is a map of which the types are not known; ONNX must say them");
    proto.mutable_map_type()->set_key_type(static_cast<int32_t>(keys));
    auto& tensor = *proto.mutable_map_type()->mutable_value_type()->mutable_tensor_type();
    tensor.set_elem_type(static_cast<int32_t>(values));
    tensor.mutable_shape();  // each is one number or text
    return;
  }
  auto& tensor = *proto.mutable_tensor_type();
  tensor.set_elem_type(static_cast<int32_t>(type.dtype));
  if (!type.ranked) return;
  auto& shape = *tensor.mutable_shape();
  for (const Dim& dim : type.dims) {
    auto& size = *shape.add_dim();
    if (dim.is_const())
      size.set_dim_value(dim.value());
    else if (!dim.is_unknown())
      size.set_dim_param(dim.str());
  }
}

std::string_view kind_of_type(const ::onnx::TypeProto& type) {
  switch (type.value_case()) {
    case ::onnx::TypeProto::kTensorType: return "tensor";
    case ::onnx::TypeProto::kSequenceType: return "sequence";
    case ::onnx::TypeProto::kMapType: return "map";
    case ::onnx::TypeProto::kOptionalType: return "optional";
    case ::onnx::TypeProto::kSparseTensorType: return "sparse tensor";
    default: return "unknown";
  }
}

}  // namespace tenon::formats
