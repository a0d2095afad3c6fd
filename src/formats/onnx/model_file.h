// ONNX model files as protobuf messages: reading them safely, and looking them over before import.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onnx {
class ModelProto;
}

namespace tenon::formats {

// The parsed message. Fails (data) with one sentence on anything that is no ONNX model: it says
// what the file seems to be instead. `where` names it in messages.
std::shared_ptr<::onnx::ModelProto> parse_model(std::span<const std::byte> bytes,
                                                std::string_view where);

// The version of a domain's operators that a model asks for; "" is ai.onnx. 0 where it names none.
int opset_of(const ::onnx::ModelProto& model, std::string_view domain);

// "ai.onnx" is another spelling of "".
std::string_view canonical_domain(std::string_view domain);

}  // namespace tenon::formats
