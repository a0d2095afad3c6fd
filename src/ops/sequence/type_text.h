// Types as ONNX's documentation writes them: "tensor(float)", "seq(tensor(int64))".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ops/infer.h"

namespace tenon {

// Of unknown shape; nothing for a text that is no type.
std::optional<TensorType> parse_type_text(std::string_view text);
std::string type_text(const TensorType& type);

}  // namespace tenon
