// AttributeProto to AttrValue and back.
#include "formats/onnx/attributes.h"

#include <onnx/onnx_pb.h>

#include "base/text.h"
#include "formats/onnx/tensors.h"
#include "formats/onnx/types.h"
#include "ops/sequence/type_text.h"

namespace tenon::formats {

namespace {

using Type = ::onnx::AttributeProto;

// Files of IR versions 1 and 2 need not say the type: the field that is set tells.
Type::AttributeType type_of(const Type& proto) {
  if (proto.has_type() && proto.type() != Type::UNDEFINED) return proto.type();
  if (proto.has_f()) return Type::FLOAT;
  if (proto.has_i()) return Type::INT;
  if (proto.has_s()) return Type::STRING;
  if (proto.has_t()) return Type::TENSOR;
  if (proto.has_g()) return Type::GRAPH;
  if (proto.floats_size()) return Type::FLOATS;
  if (proto.ints_size()) return Type::INTS;
  if (proto.strings_size()) return Type::STRINGS;
  return Type::UNDEFINED;
}

}  // namespace

std::optional<AttrValue> read_attribute(const ::onnx::AttributeProto& proto, ExternalData& external,
                                        std::string_view where) {
  switch (type_of(proto)) {
    case Type::UNDEFINED: return std::nullopt;
    case Type::INT: return AttrValue(int64_t{proto.i()});
    case Type::FLOAT: return AttrValue(static_cast<double>(proto.f()));
    case Type::STRING: return AttrValue(proto.s());
    case Type::INTS:
      return AttrValue(std::vector<int64_t>(proto.ints().begin(), proto.ints().end()));
    case Type::FLOATS:
      return AttrValue(std::vector<double>(proto.floats().begin(), proto.floats().end()));
    case Type::STRINGS:
      return AttrValue(std::vector<std::string>(proto.strings().begin(), proto.strings().end()));
    case Type::TENSOR:
      return AttrValue(
          read_tensor(proto.t(), external, fmt::format("attribute {} of {}", proto.name(), where)));
    case Type::TYPE_PROTO: return AttrValue(type_text(read_type(proto.tp(), {}, where)));
    default:
      fail(ErrorKind::unsupported, "{}: attribute {} is of a kind that Tenon does not import ({})",
           where, proto.name(), static_cast<int>(proto.type()));
  }
}

void write_attribute(const Attr& attr, const AttrSpec* spec, ::onnx::AttributeProto& proto,
                     std::string_view where) {
  proto.set_name(attr.name);
  const auto wants = [&](AttrType type) { return spec && spec->type == type; };
  if (const auto* i = std::get_if<int64_t>(&attr.value)) {
    if (wants(AttrType::f)) {
      proto.set_type(Type::FLOAT);
      proto.set_f(static_cast<float>(*i));
    } else {
      proto.set_type(Type::INT);
      proto.set_i(*i);
    }
  } else if (const auto* f = std::get_if<double>(&attr.value)) {
    proto.set_type(Type::FLOAT);
    proto.set_f(static_cast<float>(*f));
  } else if (const auto* s = std::get_if<std::string>(&attr.value)) {
    if (const auto type = spec && spec->name == "type" ? parse_type_text(*s) : std::nullopt) {
      proto.set_type(Type::TYPE_PROTO);
      write_type(*type, *proto.mutable_tp());
      return;
    }
    proto.set_type(Type::STRING);
    proto.set_s(*s);
  } else if (const auto* ints = std::get_if<std::vector<int64_t>>(&attr.value)) {
    const bool floats = wants(AttrType::floats), strings = wants(AttrType::strings);
    proto.set_type(floats    ? Type::FLOATS
                   : strings ? Type::STRINGS
                             : Type::INTS);  // the latter two are empty
    for (int64_t value : *ints) proto.add_ints(value);
  } else if (const auto* floats = std::get_if<std::vector<double>>(&attr.value)) {
    proto.set_type(Type::FLOATS);
    for (double value : *floats) proto.add_floats(static_cast<float>(value));
  } else if (const auto* strings = std::get_if<std::vector<std::string>>(&attr.value)) {
    proto.set_type(Type::STRINGS);
    for (const std::string& value : *strings) proto.add_strings(value);
  } else if (const auto* tensor = std::get_if<Tensor>(&attr.value)) {
    proto.set_type(Type::TENSOR);
    write_tensor(*tensor, *proto.mutable_t());
  } else {
    fail(ErrorKind::unsupported,
         "{}: attribute {} holds a graph, which is written by whoever writes its node", where,
         attr.name);
  }
}

}  // namespace tenon::formats
