// Finding functions and binding the attributes of their calls.
#include "formats/onnx/functions.h"

#include <google/protobuf/unknown_field_set.h>
#include <onnx/onnx_pb.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "formats/onnx/model_file.h"

namespace tenon::formats {

namespace {

// Fields that are newer than the schema this is compiled with (of IR version 8), which keeps them
// as unknown ones: attributes with their defaults (IR version 9) and overloads (IR version 10).
constexpr int kFunctionAttributeProto = 11;
constexpr int kFunctionOverload = 13;
constexpr int kNodeOverload = 8;

// Calls `visit` with the bytes of each unknown field of that number.
template <class Message, class Visit>
void each_unknown(const Message& message, int number, const Visit& visit) {
  using google::protobuf::UnknownField;
  const auto& fields = message.unknown_fields();
  for (int i = 0; i < fields.field_count(); ++i)
    if (fields.field(i).number() == number &&
        fields.field(i).type() == UnknownField::TYPE_LENGTH_DELIMITED)
      visit(fields.field(i).length_delimited());
}

template <class Message>
std::string overload_of(const Message& message, int number) {
  std::string overload;
  each_unknown(message, number, [&](const std::string& bytes) { overload = bytes; });
  return overload;
}

std::vector<std::shared_ptr<const ::onnx::AttributeProto>> read_defaults(
    const ::onnx::FunctionProto& function) {
  std::vector<std::shared_ptr<const ::onnx::AttributeProto>> list;
  each_unknown(function, kFunctionAttributeProto, [&](const std::string& bytes) {
    auto attribute = std::make_shared<::onnx::AttributeProto>();
    if (attribute->ParseFromString(bytes)) list.push_back(std::move(attribute));
  });
  return list;
}

}  // namespace

Functions::Functions(const ::onnx::ModelProto& model) {
  for (const auto& function : model.functions()) {
    const std::string overload = overload_of(function, kFunctionOverload);
    const bool is_new = by_name_
                            .emplace(std::tuple(std::string(canonical_domain(function.domain())),
                                                function.name(), overload),
                                     &function)
                            .second;
    TENON_CHECK(is_new, data, "function {} of domain {} is defined twice{}; the file is damaged",
                text::quoted(function.name()), text::quoted(function.domain()),
                overload.empty() ? "" : fmt::format(" (overload {})", text::quoted(overload)));
  }
}

const ::onnx::FunctionProto* Functions::find(const ::onnx::NodeProto& node) const {
  if (by_name_.empty()) return nullptr;
  const auto found = by_name_.find(std::tuple(std::string(canonical_domain(node.domain())),
                                              node.op_type(), overload_of(node, kNodeOverload)));
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
