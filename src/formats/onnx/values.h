// Values in files of their own, as ONNX's tests hold them: TensorProto, SequenceProto,
// OptionalProto, MapProto.
#pragma once

#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace tenon::formats {

// `type` is what the model says the value is: a container, or any tensor's. Fails (data) on bytes
// of another form; `where` begins the messages.
Tensor read_value(const std::string& bytes, DType type, std::string_view where);

}  // namespace tenon::formats
