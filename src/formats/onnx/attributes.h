// Attributes between ONNX files and calls.
#pragma once

#include <optional>
#include <string_view>

#include "ops/attrs.h"
#include "ops/op.h"

namespace onnx {
class AttributeProto;
}

namespace tenon::formats {

class ExternalData;

// The value of an attribute; nothing for one that holds no value at all. `where` ("node conv1 of
// model.onnx") begins the messages. Types become text ("seq(tensor(float))").
// Fails (unsupported) for graphs and sparse tensors, which belong to their nodes.
std::optional<AttrValue> read_attribute(const ::onnx::AttributeProto& proto, ExternalData& external,
                                        std::string_view where);

// `spec` (null: unknown) decides between types that one C++ value may stand for.
void write_attribute(const Attr& attr, const AttrSpec* spec, ::onnx::AttributeProto& proto,
                     std::string_view where);

}  // namespace tenon::formats
