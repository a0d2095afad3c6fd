// Finding functions and binding the attributes of their calls.
#include "formats/onnx/functions.h"

#include <google/protobuf/unknown_field_set.h>
#include <onnx/onnx_pb.h>

#include <algorithm>

#include "formats/onnx/model_file.h"

namespace tenon::formats {

namespace {

// FunctionProto.attribute_proto, attributes with their defaults, is newer (IR version 9) than the
// schema this is compiled with, which keeps it as an unknown field.
constexpr int kAttributeProtoField = 11;

std::vector<std::shared_ptr<const ::onnx::AttributeProto>> read_defaults(
    const ::onnx::FunctionProto& function) {
  using google::protobuf::UnknownField;
  std::vector<std::shared_ptr<const ::onnx::AttributeProto>> list;
  const auto& fields = function.unknown_fields();
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& field = fields.field(i);
    if (field.number() != kAttributeProtoField ||
        field.type() != UnknownField::TYPE_LENGTH_DELIMITED)
      continue;
    auto attribute = std::make_shared<::onnx::AttributeProto>();
    if (attribute->ParseFromString(field.length_delimited())) list.push_back(std::move(attribute));
  }
  return list;
}

}  // namespace

Functions::Functions(const ::onnx::ModelProto& model) {
  for (const auto& function : model.functions())
    by_name_.emplace(std::pair(std::string(canonical_domain(function.domain())), function.name()),
                     &function);
}

const ::onnx::FunctionProto* Functions::find(const ::onnx::NodeProto& node) const {
  if (by_name_.empty()) return nullptr;
  const auto found =
      by_name_.find(std::pair(std::string(canonical_domain(node.domain())), node.op_type()));
  return found == by_name_.end() ? nullptr : found->second;
}

FunctionCall::FunctionCall(const ::onnx::FunctionProto& function, const ::onnx::NodeProto& node,
                           const FunctionCall* outer)
    : function_(function), defaults_(read_defaults(function)) {
  for (const auto& attribute : node.attribute()) {
    const ::onnx::AttributeProto* value = &attribute;
    if (!attribute.ref_attr_name().empty())
      value = outer ? outer->attribute(attribute.ref_attr_name()) : nullptr;
    if (value) attributes_.emplace(attribute.name(), value);
  }
  for (const auto& attribute : defaults_) attributes_.emplace(attribute->name(), attribute.get());
}

int FunctionCall::opset(std::string_view domain) const {
  for (const auto& entry : function_.opset_import())
    if (canonical_domain(entry.domain()) == domain)
      return static_cast<int>(std::clamp<int64_t>(entry.version(), 0, 1'000'000));
  return 0;
}

const ::onnx::AttributeProto* FunctionCall::attribute(const std::string& name) const {
  const auto found = attributes_.find(name);
  return found == attributes_.end() ? nullptr : found->second;
}

}  // namespace tenon::formats
