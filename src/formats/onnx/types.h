// Types of values between ONNX files and graphs.
#pragma once

#include <string>
#include <string_view>

#include "ops/infer.h"

namespace onnx {
class TypeProto;
}

namespace tenon::formats {

// The type of the value `name`. Axes with a name or a formula ("2*seq+1") are symbolic; unnamed
// ones get the symbol "<name>.<axis>", so that a run can say what they were, or are unknown where
// `name` is empty. Axes in `sizes` are fixed. Fails (unsupported) on types that Tenon does not
// have; `where` begins the messages.
TensorType read_type(const ::onnx::TypeProto& proto, const std::string& name,
                     std::string_view where, const Dim::Bindings& sizes = {});

void write_type(const TensorType& type, ::onnx::TypeProto& proto);

// "tensor", "sequence", ...
std::string_view kind_of_type(const ::onnx::TypeProto& type);

}  // namespace tenon::formats
